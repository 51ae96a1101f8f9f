"""Coefficients against extended precision; l1 solutions against their optimality conditions."""

import numpy as np
import pytest
import reference
from scipy import sparse

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS

# A gap of 1e-14 leaves about 1e-7 of the coefficients open, which exact solves close beyond the tolerance.
ACCURACY = {"auto": 1e-7, "newton": 1e-7, "newton-cg": 1e-6, "bfgs": 1e-4, "lbfgs": 1e-4}


def relative_error(found, true):
    return float(np.max(np.abs(found - true)) / np.max(np.abs(true)))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("C", [1e-2, 1.0, 1e2])
@pytest.mark.parametrize("solver", ACCURACY)
def test_ridge_coefficients_agree_with_extended_precision(solver, C, weighted, n_classes, multi_class, container):
    X, y, weights = reference.make_problem(n_classes, weighted=weighted)
    multinomial = multi_class == "multinomial" and n_classes > 2
    W, b = reference.ridge_optimum(X, reference.onehot_of(y, multinomial), weights, C, multinomial)
    fit = CrossEntropyClassifier(C=C, solver=solver, multi_class=multi_class, tol=1e-14).fit(container(X), y, weights)
    assert fit.status_ == "converged"
    assert relative_error(fit.coef_, W) < ACCURACY[solver]
    assert relative_error(fit.intercept_, b) < ACCURACY[solver]


@pytest.mark.parametrize("container", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("C", [1e-1, 1.0, 1e2])
@pytest.mark.parametrize("solver", ACCURACY)
def test_l1_solutions_meet_the_optimality_conditions(solver, C, l1_ratio, n_classes, multi_class, container):
    X, y, weights = reference.make_problem(n_classes, n_features=12)
    X = X[:, np.random.default_rng(0).permutation(12)]
    multinomial = multi_class == "multinomial" and n_classes > 2
    # A gap that is linear in the gradient ends at its rounding: some 1e-14 of the objective for the lasso.
    tol = {1.0: 1e-12, 0.5: 1e-14}[l1_ratio]
    fit = CrossEntropyClassifier(C=C, l1_ratio=l1_ratio, solver=solver, multi_class=multi_class, tol=tol, max_iter=5000)
    fit.fit(container(X), y, weights)
    assert fit.status_ == "converged"
    P = reference.probabilities(X @ fit.coef_.T + fit.intercept_, multinomial)
    residuals = weights[:, None] * (P - reference.onehot_of(y, multinomial))
    gradient = C * residuals.T @ X + (1 - l1_ratio) * fit.coef_
    W = fit.coef_
    violation = np.where(W != 0, np.abs(gradient + l1_ratio * np.sign(W)), np.maximum(np.abs(gradient) - l1_ratio, 0))
    assert np.max(violation) < 1e-5  # the gradient is of C sum(loss) + penalty: its unit is lambda
    assert np.max(np.abs(C * residuals.sum(axis=0))) < 1e-8


@pytest.mark.parametrize(
    ("solver", "settings", "tol"),
    [
        ("gd", {}, 1e-12),
        ("gd", {"momentum": 0.8}, 1e-12),
        ("gd", {"momentum": "nesterov"}, 1e-12),
        ("sgd", {"batch_size": 1}, 1e-3),
        ("sgd", {"batch_size": 8, "momentum": 0.9}, 1e-2),
        ("sgd", {"adagrad": True}, 1e-4),
    ],
)
def test_first_order_solvers_reach_the_same_optimum(solver, settings, tol):
    X, y, weights = reference.make_problem(3)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    W, _ = reference.ridge_optimum(X, reference.onehot_of(y, False), weights, 1.0, False)
    fit = CrossEntropyClassifier(solver=SOLVERS[solver](**settings), tol=tol, max_iter=5000, random_state=0)
    fit.fit(X, y, weights)
    assert fit.status_ == "converged"
    # The objective is strongly convex: the certificate bounds the distance of the coefficients as well.
    strength = 1 / weights.sum()
    assert 0 < np.sum((fit.coef_ - W) ** 2) <= 2 * fit.optimality_gap_ / strength
