"""The quadratic model with an l1 term: its minimiser satisfies the optimality conditions, also where columns are collinear."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logit

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._model import ExplicitModel, minimise_model

SOLVERS_WITH_MODELS = ["auto", "newton", "subsampled-newton"]


def singular(rng, m, rank):
    """A positive semi-definite matrix of less than full rank, and a gradient in its range."""
    root = rng.standard_normal((m, rank))
    return root @ root.T, root @ rng.standard_normal(rank)


def violation(A, g, w, l1, x):
    """How far x is from what characterises the minimiser, in units of the l1 strength."""
    h = g + A @ (x - w)
    return np.max(np.where(x != 0, np.abs(h + l1 * np.sign(x)), np.maximum(np.abs(h) - l1, 0))) / l1


@pytest.mark.parametrize("l1", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize(("m", "rank"), [(6, 6), (6, 5), (12, 9), (30, 20)])
@pytest.mark.parametrize("seed", range(5))
def test_the_minimiser_satisfies_the_optimality_conditions(seed, m, rank, l1):
    rng = np.random.default_rng(seed)
    A, g = singular(rng, m, rank)
    w = rng.standard_normal(m)
    step = minimise_model(ExplicitModel(A[None], (1, m)), g[None], w[None], np.full(m, l1), 1e-24, max_sweeps=3000)
    assert violation(A, g, w, l1, w + step[0]) < 1e-5


def category(n, seed=0):
    """One-hot columns of a category of seven, and labels whose share differs from one to the next."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 7, n)
    y = rng.random(n) < np.array([0.1, 0.3, 0.45, 0.5, 0.6, 0.8, 0.9])[levels]
    return np.eye(7)[levels], levels, y.astype(int)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("solver", SOLVERS_WITH_MODELS)
@pytest.mark.parametrize("C", [1e3, 1e5, 1e7])
def test_a_category_under_a_weak_l1_penalty_ends_at_its_median(C, solver, container):
    """The scores of the levels are their log-odds, about; the least l1 norm puts the intercept at the middle one."""
    X, levels, y = category(2_600)
    fit = CrossEntropyClassifier(C=C, l1_ratio=1.0, solver=solver, tol=1e-8).fit(container(X), y)
    shares = np.bincount(levels, y) / np.bincount(levels)
    assert fit.status_ == "converged"
    assert fit.n_iter_[0] < 30
    np.testing.assert_allclose(fit.coef_[0] + fit.intercept_, logit(shares), atol=30 / C)
    assert np.argsort(shares)[3] == np.flatnonzero(fit.coef_[0] == 0)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_several_categories_under_a_weak_l1_penalty(l1_ratio, multi_class):
    rng = np.random.default_rng(1)
    X = np.hstack([np.eye(k)[rng.integers(0, k, 3_000)] for k in (3, 12, 40)])
    y = (X @ rng.standard_normal((55, 3)) + rng.gumbel(size=(3_000, 3))).argmax(axis=1)
    params = {"C": 1e5, "l1_ratio": l1_ratio, "multi_class": multi_class}
    fits = [CrossEntropyClassifier(solver=solver, **params).fit(X, y) for solver in SOLVERS_WITH_MODELS]
    values = [fit.history_["objective"][-1] for fit in fits]
    assert {fit.status_ for fit in fits} == {"converged"}
    assert max(fit.n_iter_[0] for fit in fits) < 60
    assert max(values) - min(values) <= max(fit.optimality_gap_ for fit in fits)


@pytest.mark.parametrize("solver", SOLVERS_WITH_MODELS)
def test_columns_of_very_different_units_under_a_weak_l1_penalty(solver):
    """Its gap is proven by gradients a thousand times as exact as the objective has digits to tell."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3_000, 40)) * 10.0 ** rng.uniform(-4, 4, 40)
    y = (X / np.abs(X).max(axis=0) @ rng.standard_normal((40, 3)) * 3 + rng.gumbel(size=(3_000, 3))).argmax(axis=1)
    fit = CrossEntropyClassifier(C=1e4, l1_ratio=1.0, solver=solver, tol=1e-8).fit(X, y)
    assert fit.status_ == "converged"
