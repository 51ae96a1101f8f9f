"""scikit-learn's callbacks see every iteration of every solver, and may stop it."""

import numpy as np
import pytest
import reference
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS

callback = pytest.importorskip("sklearn.callback")


class Recorder:
    """Remembers what it is told; asks to stop after so many iterations."""

    def __init__(self, stop_after=np.inf):
        self.stop_after, self.begun, self.values = stop_after, [], []

    def setup(self, estimator, context):
        self.set_up = True

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        if context.task_name == "iteration":
            self.values.append(loss(fitted_estimator, X, y, metadata["sample_weight"]))
            return len(self.values) >= self.stop_after
        self.final = fitted_estimator.score(X, y)
        return False


def loss(fitted, X, y, weights):
    """Objective of a fitted classifier; what the history should say."""
    scores, total = fitted.decision_function(X), weights.sum()
    if fitted.multi_class == "multinomial":
        losses = -np.log(reference.probabilities(scores, True)[np.arange(len(y)), y])
    else:
        scores, own = (scores, y[:, None] == fitted.classes_) if scores.ndim > 1 else (scores[:, None], y[:, None] == 1)
        losses = np.logaddexp(0, np.where(own, -scores, scores)).sum(axis=1)
    W, l1_ratio = fitted.coef_, fitted.l1_ratio
    penalty = l1_ratio * np.abs(W).sum() + (1 - l1_ratio) / 2 * np.sum(W * W)
    return float(weights @ losses + penalty / fitted.C) / total


@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
@pytest.mark.parametrize("penalty", [{"l1_ratio": 0.0}, {"l1_ratio": 0.5}, {"l1_ratio": 1.0}, {"C": np.inf}], ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_callbacks_and_history_tell_the_same_run(solver, penalty, n_classes, multi_class):
    X, y, weights = reference.make_problem(n_classes)
    recorder = Recorder()
    classifier = CrossEntropyClassifier(solver=solver, multi_class=multi_class, max_iter=40, **penalty)
    classifier.set_callbacks(recorder).fit(X, y, weights)
    assert recorder.set_up
    assert recorder.torn_down
    assert recorder.begun == ["fit"] + ["iteration"] * len(recorder.values)
    values = classifier.history_["objective"]
    assert len(recorder.values) == len(values)
    n = len(values) - 1  # the last one may have been refined since
    np.testing.assert_allclose(recorder.values[:n], values[:n], rtol=1e-9)
    assert recorder.final == classifier.score(X, y)


def test_iterations_in_the_coordinates_of_the_rows_are_the_fits_own(capsys):
    rng, recorder = np.random.default_rng(0), Recorder()
    X, y = rng.standard_normal((30, 200)), rng.integers(0, 2, 30)
    fit = CrossEntropyClassifier(verbose=1).set_callbacks(recorder).fit(X, y, np.ones(30))
    assert fit.solver_ == "newton"
    np.testing.assert_allclose(recorder.values, fit.history_["objective"], rtol=1e-9)
    assert fit.n_iter_[0] == len(recorder.values) - 1 > 3
    assert len(capsys.readouterr().out.splitlines()) == len(recorder.values)
    for name in ("passes", "seconds"):
        assert np.all(np.diff(fit.history_[name]) >= 0)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        short = CrossEntropyClassifier(max_iter=2).fit(X, y)
    assert short.n_iter_[0] == 2
    assert short.optimality_gap_ >= short.history_["objective"][-1] - fit.history_["objective"][-1]
    with pytest.warns(ConvergenceWarning, match="asked to stop"):
        CrossEntropyClassifier().set_callbacks(Recorder(stop_after=2)).fit(X, y, np.ones(30))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_callback_may_stop_the_fit(solver):
    X, y, weights = reference.make_problem(3)
    classifier = CrossEntropyClassifier(solver=solver, tol=1e-13).set_callbacks(Recorder(stop_after=2))
    with pytest.warns(Warning, match="asked to stop"):
        classifier.fit(X, y, weights)
    assert classifier.status_ == "interrupted"
    assert len(classifier.history_["objective"]) == 2


def test_callbacks_are_torn_down_when_a_fit_fails():
    recorder = Recorder()
    classifier = CrossEntropyClassifier().set_callbacks(recorder)
    with pytest.raises(ValueError, match="infinity"):
        classifier.fit([[0.0], [np.inf]], [0, 1])
    assert recorder.torn_down
    assert not hasattr(classifier, "_callback_fit_ctx")
    assert not hasattr(classifier, "n_features_in_")


def test_the_scoring_monitor_scores_every_iteration():
    X, y, _ = reference.make_problem(3)
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    fit = CrossEntropyClassifier().set_callbacks(monitor).fit(X, y)
    scores = [row["neg_log_loss"] for row in monitor.get_logs(select="most_recent").data if row["task_name"] == "iteration"]
    assert len(scores) == len(fit.history_["objective"])
    assert scores[-1] > scores[0]


def test_progress_is_shown_inside_a_grid_search(capsys):
    pytest.importorskip("rich")
    X, y, _ = reference.make_problem(2)
    search = GridSearchCV(CrossEntropyClassifier(), {"C": [0.1, 1.0]}, cv=2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "CrossEntropyClassifier" in capsys.readouterr().out


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("correction", [{"prior_correction": True}, {"prior": {0: 0.9, 1: 0.06, 2: 0.04}}], ids=str)
def test_callbacks_see_probabilities_of_the_population(correction, multi_class):
    class Watcher(Recorder):
        def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
            self.values.append(fitted_estimator.predict_proba(X))
            return False

    X, y, weights = reference.make_problem(3)
    watcher = Watcher()
    fit = CrossEntropyClassifier(multi_class=multi_class, class_weight="balanced", **correction).set_callbacks(watcher)
    assert np.abs(fit.fit(X, y, weights * np.array([1, 3, 9])[y]).prior_shift_).max() > 1
    *_, last, final = watcher.values
    np.testing.assert_array_equal(final, fit.predict_proba(X))
    np.testing.assert_allclose(last, final, atol=1e-3)
