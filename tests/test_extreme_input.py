"""Extreme but legal input gets the right answer."""

import numpy as np
import pytest
import reference
from scipy import sparse

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import GradientDescent

SOLVERS = ["auto", "newton", "newton-cg", "bfgs", "lbfgs"]
MULTI_CLASS = ["ovr", "multinomial"]


def fitted(X, y, weights=None, **params):
    return CrossEntropyClassifier(**({"tol": 1e-12} | params)).fit(X, y, weights)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("exponents", [[-150] * 4, [150] * 4, [-150, -75, 75, 150], [0, 150, -150, 3]], ids=str)
def test_columns_of_any_scale_without_penalty(exponents, solver, container, multi_class):
    X, y, weights = reference.make_problem(3)
    scales = 10.0 ** np.array(exponents)
    plain = fitted(X, y, weights, C=np.inf, multi_class=multi_class)
    scaled = fitted(container(X * scales), y, weights, C=np.inf, solver=solver, multi_class=multi_class, tol=1e-10)
    assert scaled.status_ == "converged"
    np.testing.assert_allclose(scaled.coef_ * scales, plain.coef_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scaled.predict_proba(container(X * scales)), plain.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
def test_columns_of_any_scale_with_penalty(solver, l1_ratio):
    """A column of 1e150 costs no penalty, one of 1e-150 can not pay it; the others see neither."""
    X, y, weights = reference.make_problem(2)
    scaled = fitted(X * [1e150, 1, 1, 1e-150], y, weights, solver=solver, l1_ratio=l1_ratio, tol=1e-10)
    # In the limit: column 0 unpenalised (a scale of 1e6 is as good), column 3 absent.
    limit = fitted(X[:, :3] * [1e6, 1, 1], y, weights, l1_ratio=l1_ratio, tol=1e-10)
    assert scaled.status_ == "converged"
    np.testing.assert_allclose(scaled.coef_[0, 1:3], limit.coef_[0, 1:3], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scaled.coef_[0, 0] * 1e150, limit.coef_[0, 0] * 1e6, rtol=1e-3)
    assert abs(scaled.coef_[0, 3]) < 1e-100


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("solver", SOLVERS)
def test_an_offset_of_a_million_moves_the_intercept_only(solver, C, container, multi_class):
    X, y, weights = reference.make_problem(3)
    plain = fitted(X, y, weights, C=C, multi_class=multi_class)
    moved = fitted(container(X + 1e6), y, weights, C=C, solver=solver, multi_class=multi_class, tol=1e-10)
    assert moved.status_ == "converged"
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("solver", SOLVERS)
def test_an_offset_beside_a_column_with_zeros(solver, l1_ratio, container):
    """Sparse storage can move the columns without zeros, and only them."""
    X, y, weights = reference.make_problem(2)
    X[::3, 1] = 0
    plain = fitted(X, y, weights, C=10, l1_ratio=l1_ratio)
    far = container(X + np.array([1e6, 0, -1e5, 0]))
    moved = fitted(far, y, weights, C=10, l1_ratio=l1_ratio, solver=solver, tol=1e-10)
    assert moved.status_ == "converged"
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(moved.predict_proba(far), plain.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("solver", [*SOLVERS, "gd"])
def test_constant_zero_and_duplicate_columns(solver, C, container, multi_class, fit_intercept):
    X, y, weights = reference.make_problem(3)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    n = len(y)
    padded = np.column_stack([X, np.zeros(n), X[:, 1], np.full(n, 0.1), np.full(n, 1e7)][: 3 + 2 * fit_intercept])
    settings = {"multi_class": multi_class, "fit_intercept": fit_intercept, "max_iter": 20000, "tol": 1e-9}
    solver = GradientDescent(momentum="nesterov") if solver == "gd" else solver
    fit = fitted(container(padded), y, weights, C=C, solver=solver, **settings)
    assert fit.status_ == "converged"
    assert np.all(np.isfinite(fit.coef_))
    assert np.all(fit.coef_[:, 4] == 0)
    np.testing.assert_allclose(fit.coef_[:, 1], fit.coef_[:, 5], rtol=1e-5, atol=1e-7)  # minimum norm: shared equally
    # Two copies of a column share one penalty's worth: together they are a column of sqrt(2) times the scale.
    scale = np.array([1, np.sqrt(2) if C == 1 else 1, 1, 1])
    merged = fitted(X * scale, y, weights, C=C, **settings)
    if fit_intercept:
        assert np.all(np.abs(fit.coef_[:, 6:]) < 1e-6)
    np.testing.assert_allclose(fit.predict_proba(padded), merged.predict_proba(X * scale), atol=2e-4)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("solver", [*SOLVERS, "gd"])
def test_one_row_a_class(solver, l1_ratio, multi_class):
    X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    fit = fitted(X, ["a", "b", "c"], solver=solver, l1_ratio=l1_ratio, multi_class=multi_class, tol=1e-9, max_iter=20000)
    assert fit.status_ == "converged"
    np.testing.assert_allclose(fit.predict_proba(X).sum(axis=1), 1)
    best = fitted(X, ["a", "b", "c"], l1_ratio=l1_ratio, multi_class=multi_class)
    np.testing.assert_allclose(fit.predict_proba(X), best.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_positive_in_a_hundred_thousand(solver):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100_000, 3)), np.zeros(100_000, dtype=int)
    y[17] = 1
    fit = fitted(X, y, solver=solver, tol=1e-10)
    assert fit.status_ == "converged"
    # The intercept is optimal: predicted and observed positives agree.
    assert fit.predict_proba(X)[:, 1].sum() == pytest.approx(1, rel=1e-6)
    # One positive: the gradient of C sum(loss) + |w|²/2 is zero at C (x_17 (1 - p_17) - sum of others x p) = w.
    p = fit.predict_proba(X)[:, 1]
    np.testing.assert_allclose(X.T @ (y - p), fit.coef_[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("solver", [*SOLVERS, "gd"])
@pytest.mark.parametrize("C", [1e-12, 1e-200])
def test_a_penalty_that_leaves_only_the_intercept_predicts_the_prevalence(C, solver, l1_ratio, multi_class):
    X, y, weights = reference.make_problem(3)
    fit = fitted(X, y, weights, C=C, solver=solver, l1_ratio=l1_ratio, multi_class=multi_class)
    prevalence = np.bincount(y, weights) / weights.sum()
    assert fit.status_ == "converged"
    assert np.all(np.abs(fit.coef_) < 1e-9)
    np.testing.assert_allclose(fit.predict_proba(X), np.tile(prevalence, (len(y), 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "convert"),
    {
        "float16": lambda X: X.astype(np.float16),
        "float32": lambda X: X.astype(np.float32),
        "int8": lambda X: X.astype(np.int8),
        "bool": lambda X: X > 3,
        "object": lambda X: X.astype(object),
        "lists": lambda X: X.tolist(),
        "big endian": lambda X: X.astype(">f8"),
        "matrix of int in CSC": lambda X: sparse.csc_matrix(X.astype(np.int64)),
    }.items(),
)
def test_types_of_numbers(kind, convert):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 8, size=(60, 4)).astype(float)
    y = (X @ [1, -1, 1, -1] + rng.standard_normal(60) > 0).astype(int)
    converted = convert(X)
    as_float = (X > 3).astype(float) if kind == "bool" else X
    np.testing.assert_allclose(fitted(converted, y).coef_, fitted(as_float, y).coef_, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e20, 1e300])
def test_only_the_ratio_of_weights_to_C_matters(scale):
    X, y, weights = reference.make_problem(3)
    plain, scaled = fitted(X, y, weights, C=np.inf), fitted(X, y, weights * scale, C=np.inf)
    np.testing.assert_allclose(scaled.coef_, plain.coef_, rtol=1e-6)


def test_a_class_without_weight_is_absent():
    X, y, weights = reference.make_problem(3)
    without = fitted(X[y != 1], y[y != 1], weights[y != 1])
    for fit in (fitted(X, y, weights * (y != 1)), fitted(X, y, weights, class_weight={1: 0})):
        np.testing.assert_array_equal(fit.classes_, [0, 2])
        np.testing.assert_allclose(fit.coef_, without.coef_, rtol=1e-9)
        np.testing.assert_allclose(fit.intercept_, without.intercept_, rtol=1e-9)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
def test_scores_of_ten_thousand_keep_their_logarithms(multi_class):
    X, y, _ = reference.make_problem(3)
    fit = fitted(X, y, multi_class=multi_class)
    fit.coef_, fit.intercept_ = np.array([[1.0, 0, 0, 0], [-1, 0, 0, 0], [-0.5, 0, 0, 0]]), np.zeros(3)
    far = np.array([[10_000.0, 0, 0, 0], [-10_000.0, 0, 0, 0], [100.0, 0, 0, 0]])
    logs = fit.predict_log_proba(far)
    assert np.all(np.isfinite(logs))
    proba = fit.predict_proba(far)
    assert np.all(np.isfinite(proba))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(fit.predict(far), fit.classes_[np.argmax(proba, axis=1)])
    np.testing.assert_array_equal(fit.predict(far), [0, 1, 0])


def test_ovr_probabilities_survive_the_underflow_of_every_class():
    X, y, _ = reference.make_problem(3)
    fit = fitted(X, y)
    fit.coef_, fit.intercept_ = np.zeros((3, 4)), np.array([-9000.0, -9001.0, -9002.0])
    expected = np.exp([0.0, -1, -2]) / np.exp([0.0, -1, -2]).sum()
    np.testing.assert_allclose(fit.predict_proba(X[:2]), [expected, expected], rtol=1e-10)


@pytest.mark.parametrize("multi_class", MULTI_CLASS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg", "bfgs", "lbfgs"])
def test_of_collinear_columns_the_optimum_of_least_norm(solver, container, fit_intercept, multi_class):
    """In the units of the data, whatever units the solver works in."""
    X, y, weights = reference.make_problem(3, 200)
    X = np.column_stack([X, 3 * X[:, 0], X[:, 1] - 1e3 * X[:, 2], X[:, 0] + X[:, 3]])
    fit = fitted(
        container(X), y, weights, C=np.inf, solver=solver, fit_intercept=fit_intercept, tol=1e-10, multi_class=multi_class
    )
    centred = X - X.mean(axis=0) if fit_intercept else X
    np.testing.assert_allclose(
        fit.coef_, np.linalg.lstsq(centred, centred @ fit.coef_.T, rcond=1e-10)[0].T, rtol=1e-6, atol=1e-9
    )
    assert fit.separation_ is None


@pytest.mark.usefixtures("two_threads")
def test_overflow_in_a_thread_is_what_it_is_outside():
    """Warnings are errors here: what the caller set has to reach the threads."""
    X = np.random.default_rng(0).standard_normal((60_000, 20)) * 1e155
    with pytest.raises(ValueError, match="squares overflow"):
        CrossEntropyClassifier().fit(X, np.arange(60_000) % 2)
