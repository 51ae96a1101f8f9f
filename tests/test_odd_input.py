"""Odd but legal: what a careful reviewer tried. Right answers, finite attributes, no warning but the one about convergence."""

import warnings

import numpy as np
import pytest
import reference
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._linalg import spd_solve
from sklearn_xent.solvers import LBFGS, SOLVERS, GradientDescent, StochasticGradientDescent

RNG = np.random.default_rng(0)
DATA = {
    "two rows": (np.array([[0.0], [1.0]]), [0, 1]),
    "all zero": (np.zeros((10, 3)), np.arange(10) % 2),
    "empty sparse": (sparse.csr_matrix((10, 4)), np.arange(10) % 2),
    "separable": (np.arange(20.0)[:, None], np.arange(20) >= 10),
    "wide": (RNG.standard_normal((10, 60)), np.arange(10) % 3),
    "twenty classes": (RNG.standard_normal((100, 5)), np.arange(100) % 20),
    "same rows, other labels": (np.ones((6, 2)), [0, 1, 2, 0, 1, 2]),
}
PARAMETERS = [
    {},
    {"C": np.inf},
    {"C": np.inf, "fit_intercept": False},
    {"C": 1e-300},
    {"C": 1e300, "l1_ratio": 1.0},
    {"C": 1e12},
    {"l1_ratio": 1e-300},
    {"l1_ratio": 1 - 1e-16},
    {"class_weight": "balanced", "multi_class": "multinomial"},
    {"C": np.inf, "multi_class": "multinomial"},
]


def quiet(estimator, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*arguments)


@pytest.mark.parametrize("params", PARAMETERS, ids=str)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_attribute_is_finite(solver, data, params):
    X, y = DATA[data]
    fit = quiet(CrossEntropyClassifier(solver=solver, max_iter=50, random_state=0, **params), X, y)
    for value in (fit.coef_, fit.intercept_, fit.optimality_gap_, fit.predict_proba(X), fit.history_["objective"]):
        assert np.all(np.isfinite(value))
    assert 1 <= fit.n_iter_[0] <= 50
    if np.isinf(fit.C) and data in ({"separable", "two rows", "wide"} if fit.fit_intercept else {"two rows", "wide"}):
        assert fit.status_ == "separated"
    elif solver in {"auto", "newton"} and data != "separable":
        assert fit.status_ == "converged"


@pytest.mark.parametrize("n_samples", [5, 60, 1000])
@pytest.mark.parametrize("constant", [0.1, 1 / 3, 123.456, 1e6])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_constant_column_is_recognised_through_rounding(container, constant, n_samples):
    X, y, weights = reference.make_problem(2, n_samples)
    padded = container(np.column_stack([X, np.full(n_samples, constant)]))
    fit = quiet(CrossEntropyClassifier(C=np.inf, max_iter=20), padded, y, weights)
    assert fit.coef_[0, -1] == 0


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("tiny", [1e-17, 1e-100, 1e-310])
def test_balancing_a_class_of_next_to_no_weight(tiny, multi_class):
    X, y, _ = reference.make_problem(3)
    balanced = {"class_weight": "balanced", "multi_class": multi_class, "tol": 1e-12}
    rare = CrossEntropyClassifier(**balanced).fit(X, y, np.where(y == 1, tiny, 1.0))
    assert rare.status_ == "converged"
    if multi_class == "multinomial":  # balancing undoes the weights; what is left of them is their sum, beside C
        plain = CrossEntropyClassifier(C=np.mean(y != 1), **balanced).fit(X, y)
        np.testing.assert_allclose(rare.coef_, plain.coef_, rtol=1e-6)


@pytest.mark.parametrize("C", [1e7, 1e8])
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_separable_data_under_a_faint_lasso_is_certified_by_duality(C, tol):
    X, y = np.arange(20.0)[:, None] - 9.5, np.arange(20) >= 10
    fit = quiet(CrossEntropyClassifier(C=C, l1_ratio=1.0, tol=tol), X, y)
    best = quiet(CrossEntropyClassifier(C=C, l1_ratio=1.0, tol=1e-13), X, y)
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_ * (1 + 1e-9)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("factor", [1e3, 1e16, 1e150, 1e300])
def test_a_wild_warm_start_is_not_followed(factor, C, multi_class):
    X, y, _ = reference.make_problem(3)
    fit = CrossEntropyClassifier(C=C, warm_start=True, multi_class=multi_class).fit(X, y)
    coef = fit.coef_.copy()
    fit.coef_, fit.intercept_ = fit.coef_ * factor, fit.intercept_ * factor
    fit.fit(X, y)
    assert fit.status_ == "converged"
    np.testing.assert_allclose(fit.coef_, coef, rtol=1e-2, atol=1e-3)


def test_saturated_scores_are_not_mistaken_for_an_optimum():
    """Where every curvature underflows, the Newton decrement is zero: the gradient must speak."""
    X, y, _ = reference.make_problem(2)
    fit = CrossEntropyClassifier(C=np.inf, warm_start=True).fit(X * 1e-8, y)
    fit.fit(X * 1e8, y)
    np.testing.assert_allclose(fit.coef_ * 1e8, CrossEntropyClassifier(C=np.inf).fit(X, y).coef_, rtol=1e-3)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("step", [1e3, 1e155, 1e300])
@pytest.mark.parametrize("kind", [GradientDescent, StochasticGradientDescent])
def test_steps_too_long_end_in_the_warning_and_finite_coefficients(kind, step, l1_ratio):
    X, y, _ = reference.make_problem(3)
    fit = quiet(CrossEntropyClassifier(solver=kind(step_size=step), l1_ratio=l1_ratio, max_iter=50, random_state=0), X, y)
    assert fit.status_ != "converged"
    assert np.all(np.isfinite(fit.coef_))


def test_numbers_of_any_type_and_size_as_parameters():
    X, y, _ = reference.make_problem(2)
    expected = CrossEntropyClassifier(C=0.125, tol=1e-14).fit(X, y).coef_
    for C in (np.float16(0.125), np.float32(0.125)):
        np.testing.assert_allclose(CrossEntropyClassifier(C=C, tol=1e-14).fit(X, y).coef_, expected, rtol=1e-12)
    assert CrossEntropyClassifier(solver=LBFGS(memory=10**12)).fit(X, y).status_ == "converged"
    with pytest.raises(ValueError, match="C must be a positive number"):
        CrossEntropyClassifier(C=10**400).fit(X, y)
    with pytest.raises(TypeError, match="step_size must be 'lipschitz' or a positive float"):
        CrossEntropyClassifier(solver=GradientDescent(step_size=np.ones(2))).fit(X, y)


@pytest.mark.parametrize("scale", [1e-320, 1e308])
def test_weights_at_the_ends_of_the_range(scale):
    X, y, _ = reference.make_problem(2)
    weighted = CrossEntropyClassifier(C=np.inf).fit(X, y, np.full(len(y), scale))
    np.testing.assert_allclose(weighted.coef_, CrossEntropyClassifier(C=np.inf).fit(X, y).coef_, rtol=1e-3)
    by_class = CrossEntropyClassifier(C=np.inf, class_weight={0: scale, 1: scale}).fit(X, y)
    np.testing.assert_allclose(by_class.coef_, weighted.coef_, rtol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_without_intercept_forgets_the_last_one(solver):
    X, y, _ = reference.make_problem(2)
    estimator = CrossEntropyClassifier(solver=solver, warm_start=True, random_state=0)
    fit = quiet(quiet(estimator, X, y).set_params(fit_intercept=False), X, y)
    assert fit.intercept_ == 0
    cold = CrossEntropyClassifier(fit_intercept=False).fit(X, y)
    excess = fit.history_["objective"][-1] - cold.history_["objective"][-1]
    assert excess <= fit.optimality_gap_ + 1e-12


def test_parameters_set_after_a_fit_do_not_change_its_predictions():
    X, y, _ = reference.make_problem(3)
    fit = CrossEntropyClassifier().fit(X, y)
    before = fit.predict_proba(X)
    np.testing.assert_array_equal(fit.set_params(multi_class="multinomial").predict_proba(X), before)
    assert len(fit.estimators_) == 3


def test_values_whose_squares_overflow_are_refused():
    X, y, _ = reference.make_problem(2)
    with pytest.raises(ValueError, match="squares overflow; divide its largest columns"):
        CrossEntropyClassifier().fit(X * 1e155, y)


def test_many_classes_take_no_more_memory_than_they_must():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20_000, 4)), rng.integers(0, 60, 20_000)
    fit = CrossEntropyClassifier(multi_class="multinomial").fit(X, y)
    assert fit.solver_ == "newton-cg"
    assert fit.status_ == "converged"


def test_small_freedoms_of_type():
    X, y, _ = reference.make_problem(2)
    assert CrossEntropyClassifier(class_weight={}).fit(X, y).status_ == "converged"
    assert CrossEntropyClassifier(verbose=np.False_).fit(X, y).status_ == "converged"
    with pytest.raises(ValueError, match="class_weight must give non-negative finite numbers"):
        CrossEntropyClassifier(class_weight={0: 10**400}).fit(X, y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["newton", "newton-cg"])
def test_faint_elastic_net_on_nearly_separable_classes(solver, weighted):
    """The inner problem is conditioned like 1e9 here: only steps on its face end it."""
    rng = np.random.default_rng(62)
    X = rng.standard_normal((19, 7)) * [1.8, 0.8, 0.8, 67.6, 1.2, 18.1, 5.7] + [16.1, 12.4, 7.5, -7.6, -0.4, 7.2, 0.7]
    y, weights = np.arange(19) % 3, rng.choice([1e-6, 1e-3, 1.0, 2.0], 19) if weighted else None
    fit = CrossEntropyClassifier(C=4e4, l1_ratio=0.3, multi_class="multinomial", solver=solver, max_iter=100)
    assert fit.fit(X, y, weights).status_ == "converged"


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("constant", [1.0, 0.1, 7.0, 1e3])
def test_a_constant_column_is_dead_for_any_number_of_rows(constant, container):
    """Weights sum to one with an error that depends on their number; a column that has no zeros lacks nothing of it."""
    for n_samples in range(40, 120):
        X, y, _ = reference.make_problem(2, n_samples)
        padded = container(np.column_stack([np.maximum(X, 0), np.full(n_samples, constant)]))
        fit = quiet(CrossEntropyClassifier(C=np.inf), padded, y)
        assert fit.coef_[0, -1] == 0


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name not in {"gd", "sgd"}])
def test_weights_across_36_decades_prove_nothing_false(solver):
    """A tenth of 1e-12 of the weight tells the optimum; whatever a fit ends with, its gap has to admit the others' optimum."""
    X = np.array([17.5, 2.56, 5.06, 0.792, -7.72, 10.6, 3.5, -1.71, -2.39, -6.11, 7.67, 2.41, 10.5, -10.3, 3.96])[:, None]
    y = [0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    weights = [1.9e6, 9.5e4, 1.5e-6, 4.4e-6, 1e-4, 1.2e-18, 7.4e10, 2.4e17, 9.4e-19, 0.67, 0.078, 5.8e5, 7.9e17, 4.5, 12]
    fit = quiet(CrossEntropyClassifier(C=9.1e-5, multi_class="multinomial", solver=solver), X, y, weights)
    least = quiet(CrossEntropyClassifier(C=9.1e-5, multi_class="multinomial", solver="lbfgs"), X, y, weights)
    assert least.status_ == "converged"
    assert fit._terms.objective - fit.optimality_gap_ <= least._terms.objective * (1 + 1e-8)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
def test_tolerances_below_rounding_where_all_coefficients_are_zero(solver, l1_ratio):
    X, y, _ = reference.make_problem(2)
    fit = quiet(CrossEntropyClassifier(solver=solver, C=1e-6, l1_ratio=l1_ratio, tol=1e-16), X, y)
    assert not fit.coef_.any()
    assert fit.optimality_gap_ < 1e-13


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_curvature_that_rounding_makes_negative_is_none():
    np.testing.assert_array_equal(spd_solve(np.array([[-1e-30]]), np.ones(1)), [0])
    rng = np.random.default_rng(4)
    X, y = rng.integers(0, 2, (20, 12)).astype(float), np.arange(20) % 8
    for _ in range(60):
        fit = CrossEntropyClassifier(C=1e-3, l1_ratio=1.0, max_iter=30).fit(X, y, 10.0 ** rng.uniform(-20, 20, 20))
        assert np.isfinite(fit.coef_).all()


def test_the_smallest_C_counts_as_it_is():
    X, y, weights = reference.make_problem(2)
    small = CrossEntropyClassifier(C=1e-310).fit(X, y, 1e300 * weights)  # lambda is what it is for ten digits less of both
    usual = CrossEntropyClassifier(C=1e-10).fit(X, y, weights)
    np.testing.assert_allclose(small.coef_, usual.coef_, rtol=1e-6)
