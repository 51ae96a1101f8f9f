"""No false certificate: random problems by the thousand, every solver stopped early and late, against extended precision."""

import warnings

import numpy as np
import pytest
import reference

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS, SubsampledNewton

PROBLEMS, PARTS = 1_000, 40
EARLY, LATE = 2, 60  # most iterations
FAR = 0.05  # of the objective: how far above its optimum a point is called far away


def draw(seed):
    """A random problem: data as arguments of `fit`, and parameters."""
    rng = np.random.default_rng(seed)
    n_classes = int(rng.integers(2, 5))
    X, y, weights = reference.make_problem(n_classes, int(rng.integers(30, 90)), int(rng.integers(2, 6)), seed, bool(seed % 2))
    penalised = rng.random() < 0.85
    params = {
        "C": 10.0 ** rng.uniform(-3, 3) if penalised else np.inf,
        "l1_ratio": float(rng.choice([0.0, 0.5, 1.0])) if penalised else 0.0,
        "fit_intercept": bool(rng.random() < 0.8),
        "multi_class": str(rng.choice(["ovr", "multinomial"])),
    }
    return X, y, weights, params


def value(fit, X, y, weights):
    multinomial = fit.multi_class == "multinomial" and len(fit.classes_) > 2
    Y = reference.onehot_of(y, multinomial)
    return reference.objective(X, Y, weights, fit.coef_, fit.intercept_, fit.C, fit.l1_ratio, multinomial)


def polished(fit, X, y, weights):
    """Objective in extended precision after Newton steps on the coefficients that are not zero, signs held."""
    multinomial = fit.multi_class == "multinomial" and len(fit.classes_) > 2
    Y, p = reference.onehot_of(y, multinomial), X.shape[1]
    A = np.hstack([X, np.ones((len(y), 1))]).astype(reference.LD)
    theta = np.hstack([fit.coef_, fit.intercept_[:, None]]).astype(reference.LD)
    ridge = np.append(np.full(p, (1 - fit.l1_ratio) / fit.C), 0)
    lasso = np.append(np.full(p, fit.l1_ratio / fit.C), 0) * np.sign(theta)
    free = (theta != 0).ravel()
    for _ in range(4):
        P = reference.probabilities(A @ theta.T, multinomial)
        gradient = ((weights[:, None] * (P - Y)).T @ A + ridge * theta + lasso).ravel()[free]
        hessian = reference._hessian(A.astype(float), P.astype(float), weights, ridge, multinomial)[np.ix_(free, free)]
        step = np.zeros(theta.size)
        step[free] = np.linalg.lstsq(hessian, gradient.astype(float), rcond=1e-13)[0]
        theta = theta - step.reshape(theta.shape)
    return reference.objective(X, Y, weights, theta[:, :p], theta[:, p], fit.C, fit.l1_ratio, multinomial)


def fitted(solver, max_iter, X, y, weights, params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CrossEntropyClassifier(solver=solver, max_iter=max_iter, random_state=0, **params).fit(X, y, weights)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_certificate_is_false(part, record_property):
    ratios, checked = [], 0
    for seed in range(part * PROBLEMS // PARTS, (part + 1) * PROBLEMS // PARTS):
        *data, params = draw(seed)
        best = fitted("newton", 1000, *data, params | {"tol": 1e-14})
        optimum = value(best, *data)
        if best.status_ != "separated":
            optimum = min(optimum, polished(best, *data))
        for solver in (*SOLVERS, SubsampledNewton(sample_size=len(data[1]) // 3)):  # too few rows, but certificates are true
            for max_iter in (EARLY, LATE):
                fit = fitted(solver, max_iter, *data, params)
                found = value(fit, *data)
                excess = float(found - optimum)
                assert fit.optimality_gap_ >= excess, (seed, solver, max_iter, excess)
                if fit.status_ == "converged":
                    assert fit.optimality_gap_ <= fit._terms.target
                checked += 1
                if max_iter == EARLY and excess > FAR * found and np.isfinite(fit.optimality_gap_):
                    ratios.append(fit.optimality_gap_ / excess)
    assert np.median(ratios) <= 10
    record_property("random problems certified", PROBLEMS // PARTS)
    record_property("certificates held against extended precision", checked)


@pytest.mark.parametrize("seed", range(6))
def test_products_that_cancel_without_an_intercept_are_in_the_gap(seed):
    X, y, weights = reference.make_problem(3, 16, 5, seed)
    data, params = (X + 1e5, y, weights), {"C": 1.0, "fit_intercept": False, "multi_class": "multinomial", "tol": 1e-15}
    fits = [fitted(solver, 1000, *data, params) for solver in ("auto", "newton", "lbfgs")]
    values = [value(fit, *data) for fit in fits]
    least = min(*values, polished(fits[0], *data))
    for fit, found in zip(fits, values, strict=True):
        assert float(found - least) <= fit.optimality_gap_
