"""Newton on a copy of small data: iterates that are not certified on the way, and what becomes of them."""

import gc

import numpy as np
import pytest
import reference
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from sklearn_xent import CrossEntropyClassifier, SeparationWarning
from sklearn_xent.solvers import compact_newton

MULTI_CLASS = ["ovr", "multinomial"]


def fitted(solver="compact-newton", **params):
    X, y, weights = reference.make_problem(3, n_samples=80)
    return CrossEntropyClassifier(solver=solver, **params).fit(X, y, weights)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_gaps_on_the_way_follow_from_what_the_end_proves(C, multi_class):
    fit = fitted(C=C, multi_class=multi_class)
    values, gaps = np.array(fit.history_["objective"]), np.array(fit.history_["gap"])
    assert len(gaps) == fit.n_iter_[0] + 1 > 4
    assert np.all(np.diff(values) < 1e-15)
    np.testing.assert_allclose(gaps, values - values[-1], atol=1e-13)
    best = fitted("newton", C=C, multi_class=multi_class, tol=1e-14)
    assert np.all(values - best.history_["objective"][-1] <= gaps)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("max_iter", [1, 2, 3])
def test_no_more_iterations_than_allowed(max_iter, multi_class):
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        fit = fitted(multi_class=multi_class, max_iter=max_iter)
    assert fit.status_ == "max_iter"
    assert fit.n_iter_[0] == max_iter
    assert len(fit.history_["gap"]) == max_iter + 1


@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("done", [1, 2])
def test_an_interrupt_between_iterates_keeps_the_last_and_certifies_it(monkeypatch, done, C):
    factors, calls = compact_newton._Place.factors, []

    def interrupting(self):
        calls.append(self)
        if len(calls) > done:
            raise KeyboardInterrupt
        return factors(self)

    X, y, weights = reference.make_problem(3, n_samples=80)
    classifier = CrossEntropyClassifier(C=C, multi_class="multinomial")
    best = CrossEntropyClassifier(C=C, multi_class="multinomial", tol=1e-14).fit(X, y, weights)
    monkeypatch.setattr(compact_newton._Place, "factors", interrupting)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y, weights)
    assert classifier.status_ == "interrupted"
    assert len(classifier.history_["gap"]) == done
    excess = classifier.history_["objective"][-1] - best.history_["objective"][-1]
    assert 0 < excess <= classifier.optimality_gap_ <= 1.001 * classifier.history_["objective"][-1]


def test_an_interrupt_in_the_first_line_of_the_history_changes_nothing(monkeypatch):
    def interrupting(self, *_):
        self.history["objective"].append(0.0)
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_xent._minimise.Monitor._record", interrupting)
    classifier = CrossEntropyClassifier()
    with pytest.raises(KeyboardInterrupt):
        classifier.fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    assert not hasattr(classifier, "coef_")


def test_a_singular_hessian_is_left_to_newton():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 3)), rng.integers(0, 2, 80)
    twice = np.hstack([X, X[:, :1]])
    one, other = (CrossEntropyClassifier(C=np.inf, solver=solver, tol=1e-12) for solver in ("compact-newton", "newton"))
    assert one.fit(twice, y).status_ == "converged"
    np.testing.assert_allclose(one.coef_, other.fit(twice, y).coef_, rtol=1e-7)


@pytest.mark.parametrize("params", [{"l1_ratio": 1.0}, {"C": 0.1}])
def test_what_is_larger_or_not_smooth_is_newtons(params):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9000, 60))
    y = (X[:, 0] + rng.standard_normal(9000) > 0).astype(int)
    one, other = (CrossEntropyClassifier(solver=solver, **params).fit(X, y) for solver in ("compact-newton", "newton"))
    np.testing.assert_array_equal(one.coef_, other.coef_)
    assert one.history_["gap"] == other.history_["gap"]


def test_a_weak_start_is_no_worse_than_none():
    """Its classes' mean is not zero, which only costs penalty, and which no step would take away."""
    X, y, weights = reference.make_problem(3, n_samples=80)
    cold = CrossEntropyClassifier(multi_class="multinomial", C=0.1, tol=1e-12).fit(X, y, weights)
    warm = CrossEntropyClassifier(multi_class="multinomial", C=0.1, tol=1e-12, warm_start=True).fit(X, y, weights)
    warm.coef_ = warm.coef_ * 0.5 + 0.01
    warm.fit(X, y, weights)
    assert warm.n_iter_[0] <= cold.n_iter_[0]
    np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-7, atol=1e-9)


def test_a_loose_tolerance_takes_fewer_steps():
    X, y = load_iris(return_X_y=True)
    loose, tight = (CrossEntropyClassifier(tol=tol, multi_class="multinomial").fit(X, y) for tol in (0.1, 1e-6))
    assert loose.n_iter_[0] < tight.n_iter_[0]
    assert fitted(tol=10.0).n_iter_[0] == 1


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_iris])
def test_steps_end_where_the_proof_is_expected(load, C, tol, monkeypatch):
    def too_dear(point):
        raise AssertionError("Newton had to go on")

    monkeypatch.setattr("sklearn_xent.solvers.newton.FactoredModel.at", too_dear)
    fit = CrossEntropyClassifier(C=C, tol=tol, multi_class="multinomial", solver="compact-newton").fit(*load(return_X_y=True))
    assert fit.status_ == "converged"


def test_quasi_separated_classes_are_proven_as_far_as_newton_proves_them():
    X, y = [[0.0], [0.0], [1.0], [1.0], [1.0]], [0, 1, 1, 1, 1]
    fit = CrossEntropyClassifier(C=np.inf, solver="compact-newton")
    with pytest.warns(SeparationWarning):
        fit.fit(X, y)
    assert fit.status_ == "separated"
    assert fit.history_["objective"][-1] - 0.4 * np.log(2) <= fit.optimality_gap_ < 1e-3


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_weights_below_all_others_are_no_reason_to_fail(l1_ratio):
    X, y, _ = reference.make_problem(2, n_samples=80)
    weights = np.where(y == 1, 5e-324, 1.0)
    with pytest.warns(ConvergenceWarning):
        fit = CrossEntropyClassifier(l1_ratio=l1_ratio, fit_intercept=False).fit(X, y, weights)
    assert np.all(np.isfinite(fit.coef_))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_the_steps_end_with_is_no_worse_than_what_they_began_with():
    rng = np.random.default_rng(10)
    X, y, _ = reference.make_problem(2, n_samples=80)
    fit = CrossEntropyClassifier(max_iter=50).fit(X, y, 10.0 ** rng.uniform(-60, 60, 80))
    assert fit._terms.objective <= fit.history_["objective"][0]


def test_a_fit_leaves_no_cycle_that_would_keep_its_copy_of_the_data():
    X, y, _ = reference.make_problem(3, n_samples=80)
    classifiers = [CrossEntropyClassifier(multi_class=multi_class) for multi_class in MULTI_CLASS]
    gc.collect()
    gc.disable()
    try:
        for classifier in classifiers:
            classifier.fit(X, y)
        assert not any(isinstance(thing, compact_newton._Copy) for thing in gc.get_objects())
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("shape", "n_classes", "multi_class", "expected"),
    [
        ((2_500, 60), 2, "ovr", "compact-newton"),
        ((2_900, 60), 2, "ovr", "subsampled-newton"),
        ((1_500, 60), 3, "multinomial", "compact-newton"),
        ((1_500, 60), 3, "ovr", "subsampled-newton"),
        ((20_000, 5), 2, "ovr", "compact-newton"),
    ],
)
def test_auto_takes_it_where_its_hessian_is_cheap(shape, n_classes, multi_class, expected):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.integers(0, n_classes, shape[0])
    assert CrossEntropyClassifier(multi_class=multi_class, tol=1e-4).fit(X, y).solver_ == expected
