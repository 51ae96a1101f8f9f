"""The estimator among its neighbours: pipelines, searches, calibration, data frames, labels, pickles, routing, display."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import reference
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS, GradientDescent, NewtonCG

X, Y, WEIGHTS = reference.make_problem(3)
NAMES = ["a", "b", "c", "d"]


def test_in_a_pipeline_and_a_search_over_the_solver_s_own_parameters():
    pipeline = make_pipeline(StandardScaler(), CrossEntropyClassifier(solver=GradientDescent(), max_iter=5000))
    name = "crossentropyclassifier"
    search = GridSearchCV(pipeline, {f"{name}__solver__momentum": [0.0, 0.9, "nesterov"], f"{name}__C": [0.1, 1.0]}, cv=3)
    search.fit(X, Y)
    assert search.best_estimator_[-1].status_ == "converged"
    assert search.best_estimator_[-1].solver_ == "gd"


def test_a_search_in_two_processes_equals_one():
    grid = {"C": [0.1, 1.0], "l1_ratio": [0.0, 1.0]}
    scores = [
        GridSearchCV(CrossEntropyClassifier(), grid, cv=3, n_jobs=n_jobs, scoring="neg_log_loss").fit(X, Y).cv_results_
        for n_jobs in (1, 2)
    ]
    np.testing.assert_allclose(scores[0]["mean_test_score"], scores[1]["mean_test_score"], rtol=1e-9)


LABELS = {
    "integers": Y,
    "list": Y.tolist(),
    "small integers": Y.astype(np.int8),
    "floats": Y.astype(float),
    "strings": np.array(["a", "b", "c"])[Y],
    "series": pd.Series(Y, index=np.arange(len(Y))[::-1]),
    "booleans": Y == 1,
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_score_is_the_accuracy_whatever_the_labels_are(labels, weights):
    classifier = CrossEntropyClassifier(C=0.01).fit(X, labels)
    score = classifier.score(X, labels, weights)
    assert score == pytest.approx(accuracy_score(labels, classifier.predict(X), sample_weight=weights), rel=1e-14)
    assert 0.5 < score < 1
    assert isinstance(score, float)


def test_score_refuses_what_it_cannot_compare():
    classifier = CrossEntropyClassifier()
    with pytest.raises(NotFittedError):
        classifier.score(X, Y)
    classifier.fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier.score(X, Y[:-1])
    with pytest.raises(ValueError, match="mix"):
        classifier.score(X, Y.astype(float) + 0.5)
    with pytest.raises((ValueError, TypeError, FutureWarning)):  # the last: NumPy 1
        classifier.score(X, LABELS["strings"])
    with pytest.raises(ValueError, match="multilabel"):
        classifier.score(X, np.eye(3, dtype=int)[Y])


def test_calibration():
    data, target = load_breast_cancer(return_X_y=True)
    calibrated = CalibratedClassifierCV(CrossEntropyClassifier(), cv=3).fit(data, target)
    np.testing.assert_allclose(calibrated.predict_proba(data).sum(axis=1), 1)
    assert calibrated.score(data, target) > 0.94


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_data_frames_carry_names(frame):
    table = frame(dict(zip(NAMES, X.T, strict=True)))
    series = pd.Series(Y) if frame is pd.DataFrame else pl.Series(Y)
    fit = CrossEntropyClassifier().fit(table, series, WEIGHTS)
    assert list(fit.feature_names_in_) == NAMES
    np.testing.assert_allclose(fit.coef_, CrossEntropyClassifier().fit(X, Y, WEIGHTS).coef_, rtol=1e-12)
    fit.predict(table)
    with pytest.raises(ValueError, match="feature names"):
        fit.predict(table[NAMES[::-1]])


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["red", "green", "blue"]),
        np.array(["red", "green", "blue"], dtype=object),
        np.array([-7, 3, 100]),
        np.array([1.0, 2.0, 4.0]),
        pd.Categorical(["red", "green", "blue"]),
    ],
    ids=["str", "object", "int", "float", "categorical"],
)
def test_labels_of_any_kind(labels):
    y = labels.take(Y) if isinstance(labels, pd.Categorical) else labels[Y]
    fit = CrossEntropyClassifier().fit(X, pd.Series(y) if isinstance(labels, pd.Categorical) else y)
    assert set(fit.classes_) == set(labels)
    assert set(fit.predict(X)) <= set(labels)
    assert fit.predict_proba(X).shape == (len(Y), 3)
    assert fit.score(X, np.asarray(y)) > 0.5


def test_boolean_labels():
    fit = CrossEntropyClassifier(class_weight={True: 2.0, False: 1.0}).fit(X, Y == 1)
    assert list(fit.classes_) == [False, True]
    assert fit.predict(X).dtype == bool
    assert fit.coef_.shape == (1, 4)
    assert fit.decision_function(X).shape == (len(Y),)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_are_consistent(multi_class, n_classes):
    X, y, _ = reference.make_problem(n_classes)
    fit = CrossEntropyClassifier(multi_class=multi_class).fit(X, y)
    proba, logs = fit.predict_proba(X), fit.predict_log_proba(X)
    np.testing.assert_allclose(np.log(proba), logs, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(fit.predict(X), fit.classes_[proba.argmax(axis=1)])
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
    for held in (sparse.csr_array(X), sparse.coo_matrix(X), X.astype(np.float32)):
        np.testing.assert_allclose(fit.predict_proba(held), proba, atol=1e-5)


def test_ovr_estimators_are_views():
    fit = CrossEntropyClassifier().fit(X, Y)
    assert len(fit.estimators_) == 3
    for k, task in enumerate(fit.estimators_):
        assert np.shares_memory(task.coef_, fit.coef_)
        assert np.shares_memory(task.intercept_, fit.intercept_)
        np.testing.assert_allclose(task.decision_function(X), fit.decision_function(X)[:, k], rtol=1e-13)
        np.testing.assert_allclose(task.predict_proba(X).sum(axis=1), 1)
        assert set(task.predict(X)) <= {0, 1}
    binary = CrossEntropyClassifier().fit(X, Y == 0)
    assert len(binary.estimators_) == 1
    np.testing.assert_array_equal(binary.estimators_[0].predict(X), binary.predict(X))
    with pytest.raises(AttributeError, match="multinomial fit has no binary classifiers"):
        _ = CrossEntropyClassifier(multi_class="multinomial").fit(X, Y).estimators_
    with pytest.raises(NotFittedError):
        _ = CrossEntropyClassifier().estimators_


def test_balanced_ovr_balances_each_task():
    fit = CrossEntropyClassifier(class_weight="balanced", tol=1e-12).fit(X, Y, WEIGHTS)
    for k in range(3):
        binary = CrossEntropyClassifier(class_weight="balanced", tol=1e-12).fit(X, k == Y, WEIGHTS)
        np.testing.assert_allclose(fit.coef_[k], binary.coef_[0], rtol=1e-8)
    # Balanced, with an intercept: mean predicted probability within each class averages to a half over the two sides.
    fit = CrossEntropyClassifier(class_weight="balanced", tol=1e-12).fit(X, Y == 0, WEIGHTS)
    p = fit.predict_proba(X)[:, 1]
    inside, outside = (np.average(p[side], weights=WEIGHTS[side]) for side in (Y == 0, Y != 0))
    assert inside + outside == pytest.approx(1, rel=1e-9)


def test_class_weights_are_sample_weights():
    factors = {0: 3.0, 2: 0.25}
    by_class = CrossEntropyClassifier(class_weight=factors).fit(X, Y, WEIGHTS)
    by_row = CrossEntropyClassifier().fit(X, Y, WEIGHTS * np.array([3.0, 1.0, 0.25])[Y])
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-9)


@pytest.mark.parametrize("sparsified", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_pickle_clone_and_get_params(solver, sparsified):
    fit = CrossEntropyClassifier(solver=solver, l1_ratio=1.0, tol=1.0, random_state=0).fit(X, Y)
    if sparsified:
        fit.sparsify()
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.predict_proba(X), fit.predict_proba(X))
    copy = clone(fit)
    assert not hasattr(copy, "coef_")
    assert copy.get_params(deep=False) == fit.get_params(deep=False)


def test_sparsify_and_densify():
    fit = CrossEntropyClassifier(l1_ratio=1.0, C=0.05, warm_start=True).fit(X, Y)
    proba, coef = fit.predict_proba(X), fit.coef_.copy()
    assert sparse.issparse(fit.sparsify().coef_)
    np.testing.assert_allclose(fit.predict_proba(X), proba, rtol=1e-14)
    assert len(fit.estimators_) == 3
    np.testing.assert_array_equal(fit.densify().coef_, coef)
    np.testing.assert_allclose(fit.sparsify().fit(X, Y).coef_, coef, atol=1e-12)


def test_warm_start_helps_and_cold_start_forgets():
    cold = CrossEntropyClassifier(solver="lbfgs").fit(X, Y)
    warm = CrossEntropyClassifier(solver="lbfgs", warm_start=True, C=0.9).fit(X, Y)
    warm.set_params(C=1.0).fit(X, Y)
    assert warm.n_iter_[0] < cold.n_iter_[0]
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-2)
    warm.fit(X, np.array(["u", "v", "w"])[Y])  # other classes: a cold start, no error
    warm.fit(X[:, :2], Y)
    assert warm.coef_.shape == (3, 2)


def test_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = CrossEntropyClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        cross_validate(estimator, X, Y, params={"sample_weight": WEIGHTS}, error_score="raise")
        assert estimator.get_metadata_routing().fit.requests == {"sample_weight": True}


def test_display_and_configuration():
    fit = CrossEntropyClassifier(C=2.0).fit(X, Y)
    assert "CrossEntropyClassifier" in fit._repr_html_()
    assert repr(CrossEntropyClassifier(C=2.0)) == "CrossEntropyClassifier(C=2.0)"
    with sklearn.config_context(assume_finite=True, transform_output="pandas"):
        np.testing.assert_array_equal(CrossEntropyClassifier(C=2.0).fit(X, Y).coef_, fit.coef_)


def test_verbose_prints_a_line_an_iteration(capsys):
    fit = CrossEntropyClassifier(verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= fit.n_iter_[0] + 1
    assert all(re.search(r"passes +[\d.]+ +objective [\d.e-]+ +gap [\d.e+-]+", line) for line in lines)
    CrossEntropyClassifier().fit(X, Y)
    assert capsys.readouterr().out == ""


def test_warning_names_gap_tolerance_and_remedy():
    with pytest.warns(ConvergenceWarning) as record:
        CrossEntropyClassifier(solver=GradientDescent(), max_iter=3).fit(X, Y)
    assert len(record) == 1
    assert record[0].filename == __file__
    text = str(record[0].message)
    assert re.search(r"gap of [\d.e+-]+, above the [\d.e+-]+ that tol=1e-08 asks for", text)
    assert "max_iter" in text


@pytest.mark.parametrize(("n_rows", "n_features", "density", "params", "expected"), [
    (3_000, 200, 0.02, {}, "newton-cg"),
    (3_000, 200, 0.02, {"C": 1e4}, "subsampled-newton"),
    (3_000, 200, 0.02, {"C": np.inf}, "subsampled-newton"),
    (3_000, 200, 0.02, {"l1_ratio": 0.5}, "newton"),
    (40_000, 60, 0.1, {}, "subsampled-newton"),
    (40_000, 60, 0.1, {"l1_ratio": 1.0}, "subsampled-newton"),
    (20_000, 60, 0.5, {}, "subsampled-newton"),
    (60, 4_000, 0.02, {}, "newton-cg"),
    (60, 4_000, 0.02, {"C": 1e4}, "newton"),
    (60, 4_000, 0.5, {}, "newton"),
    (90_000, 20, 0.1, {}, "subsampled-newton"),
])  # fmt: skip
def test_sparse_data_have_hessians_formed_where_they_cost_little(n_rows, n_features, density, params, expected):
    X = sparse.random(n_rows, n_features, density=density, format="csr", random_state=0)
    fit = CrossEntropyClassifier(tol=1e-4, **params).fit(X, np.random.default_rng(0).integers(0, 2, n_rows))
    assert fit.solver_ == expected


def test_dear_hessians_are_formed_where_conjugate_gradients_take_as_long():
    """They find a dozen eigenvalues far from the others late; without, a hundred products are enough."""
    rng = np.random.default_rng(0)
    X, y, params = rng.standard_normal((600, 600)), rng.integers(0, 10, 600), {"C": 30, "tol": 1e-9}
    correlated = X + 3 * rng.standard_normal((600, 8)) @ rng.standard_normal((8, 600))
    for data, share in ((X, 1.0), (correlated, 0.5)):
        fit, alone = (CrossEntropyClassifier(solver=solver, **params).fit(data, y) for solver in ("auto", "newton-cg"))
        assert (fit.solver_, fit.status_, alone.status_) == ("newton-cg", "converged", "converged")
        assert fit.n_passes_ <= share * alone.n_passes_
        above = fit.history_["objective"][-1] - alone.history_["objective"][-1]
        assert -alone.optimality_gap_ <= above <= fit.optimality_gap_


@pytest.mark.parametrize(("l1_ratio", "multi_class"), [(0.0, "ovr"), (0.0, "multinomial"), (0.5, "ovr"), (1.0, "multinomial")])
def test_a_run_out_of_passes_is_finished_by_hessians(l1_ratio, multi_class):
    params = {"C": 0.1, "l1_ratio": l1_ratio, "multi_class": multi_class, "tol": 1e-10}
    data, target = load_iris(return_X_y=True)
    fit = CrossEntropyClassifier(solver=NewtonCG(max_passes=3), **params).fit(data, target)
    alone = CrossEntropyClassifier(solver=NewtonCG(), **params).fit(data, target)
    assert (fit.status_, alone.status_) == ("converged", "converged")
    np.testing.assert_allclose(fit.coef_, alone.coef_, atol=1e-4)
    assert np.all(np.diff(fit.history_["objective"]) <= 1e-15)
    assert len(fit.history_["objective"]) == fit.n_iter_[0] + 1


def test_auto_says_what_it_chose():
    data, target = load_iris(return_X_y=True)
    assert CrossEntropyClassifier().fit(data, target).solver_ == "compact-newton"
    assert CrossEntropyClassifier(l1_ratio=1.0).fit(data, target).solver_ == "newton"
    assert CrossEntropyClassifier().fit(np.tile(data, (120, 1)), np.tile(target, 120)).solver_ == "subsampled-newton"
    wide = np.random.default_rng(0).standard_normal((30, 600))
    assert CrossEntropyClassifier().fit(wide, np.arange(30) % 2).solver_ == "newton"  # in the rows' coordinates
    assert CrossEntropyClassifier(l1_ratio=1.0).fit(wide, np.arange(30) % 2).solver_ == "newton"
    tall = np.random.default_rng(0).standard_normal((20_000, 4))
    assert CrossEntropyClassifier(l1_ratio=1.0).fit(tall, np.arange(20_000) % 2).solver_ == "subsampled-newton"

    class Mine(NewtonCG):
        """A solver from outside the registry."""

    assert CrossEntropyClassifier(solver=Mine()).fit(data, target).solver_ == "Mine"


def test_n_passes_counts_reads():
    fit = CrossEntropyClassifier(solver="gd", tol=0.9).fit(X, Y)
    assert fit.status_ == "converged"
    assert fit.n_passes_ == pytest.approx(fit.history_["passes"][-1])
    with pytest.warns(ConvergenceWarning):
        one, two = (CrossEntropyClassifier(solver="gd", max_iter=k, tol=0.0).fit(X, Y).n_passes_ for k in (10, 20))
    assert two - one == pytest.approx(10)  # gradient descent reads the data once an iteration
