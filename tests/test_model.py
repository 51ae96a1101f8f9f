"""The quadratic model with an l1 term: its minimiser satisfies the optimality conditions, also where columns are collinear."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logit
from sklearn.exceptions import ConvergenceWarning

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._linalg import conjugate_gradients, relative
from sklearn_xent._model import ExplicitModel, _Accelerated, minimise_model

SOLVERS_WITH_MODELS = ["auto", "newton", "subsampled-newton"]


def problem(rng, n_blocks, m, rank):
    """Positive semi-definite blocks, and a gradient in their range."""
    roots = rng.standard_normal((n_blocks, m, rank))
    blocks = roots @ np.swapaxes(roots, 1, 2)
    return blocks, (roots @ rng.standard_normal((n_blocks, rank, 1)))[:, :, 0]


def violation(model, g, w, l1, x):
    """How far x is from what characterises the minimiser."""
    h = g + model.product(x - w)
    return np.max(np.where(x != 0, np.abs(h + l1 * np.sign(x)), np.maximum(np.abs(h) - l1, 0)), initial=0)


class Operator(ExplicitModel):
    """The same Hessian, its solves ended early."""

    exact, n_blocks = False, 1

    def solve(self, right, face=None, most=None):
        mask = 1.0 if face is None else face
        return conjugate_gradients(
            lambda v: self.product(v) * mask, right * mask, self.diagonal * mask, relative(1e-3, lambda r: False), max_iter=most
        )


@pytest.mark.parametrize("strength", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize(("m", "rank"), [(6, 6), (6, 5), (12, 9), (30, 20)])
@pytest.mark.parametrize("n_blocks", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_minimiser_satisfies_the_optimality_conditions(seed, n_blocks, m, rank, strength):
    rng = np.random.default_rng(seed)
    blocks, g = problem(rng, n_blocks, m, rank)
    w, l1 = rng.standard_normal((n_blocks, m)), strength * rng.uniform(0.5, 2, m)
    model = ExplicitModel(blocks, (n_blocks, m))
    step = minimise_model(model, g, w, l1, 1e-28, max_sweeps=3000)
    assert violation(model, g, w, l1, w + step) < 1e-4 * strength


@pytest.mark.parametrize("make", [ExplicitModel, Operator])
def test_coupled_outputs_and_columns_without_a_penalty(make):
    rng = np.random.default_rng(0)
    blocks, g = problem(rng, 1, 12, 12)
    model, g, w = make(blocks, (3, 4)), g.reshape(3, 4), rng.standard_normal((3, 4))
    l1 = np.array([0.0, 0.3, 0.0, 2.0])
    step = minimise_model(model, g, w, l1, 1e-28, max_sweeps=3000)
    assert violation(model, g, w, l1, w + step) < 1e-6


@pytest.mark.parametrize("shape", [(1, 0), (2, 0)])
def test_no_columns_no_step(shape):
    model, none = ExplicitModel(np.zeros((shape[0], 0, 0)), shape), np.zeros(shape)
    assert minimise_model(model, none, none, np.zeros(0), 1e-4).shape == shape


@pytest.mark.parametrize("rank", [0, 1, 6])
@pytest.mark.parametrize("seed", range(10))
def test_the_lowest_place_along_a_direction(seed, rank):
    """Held against a fine grid and all zeros, each block by itself; several coefficients may be zero at the same place."""
    rng = np.random.default_rng(seed)
    blocks, _ = problem(rng, 2, 6, rank)
    model, l1 = ExplicitModel(blocks, (2, 6)), rng.uniform(0.2, 2, 6)
    x, g = rng.integers(-3, 4, (2, 6)).astype(float), 0.05 * rng.standard_normal((2, 6))  # less than l1: it is bounded
    descent = _Accelerated(model, g, x, l1)
    d = np.where(x != 0, np.round(descent._descent(), 1), 0.0)  # rounded: ties
    found = descent._lowest(d)
    for k in range(2):

        def value(end, k=k):
            step = end - x[k]
            return g[k] @ step + step @ blocks[k] @ step / 2 + l1 @ (np.abs(end) - np.abs(x[k]))

        with np.errstate(divide="ignore", invalid="ignore"):
            zeros = -x[k] / d[k]
        places = np.append(zeros[np.isfinite(zeros) & (zeros > 0)], np.linspace(0, 20, 20_001))
        assert value(found[k]) <= min(value(x[k] + t * d[k]) for t in places) + 1e-12
    assert np.isfinite(found).all()


def test_a_gradient_that_is_no_number_ends_the_search_all_the_same():
    model, gradient = ExplicitModel(np.eye(2)[None], (1, 2)), np.array([[np.nan, 1.0]])
    with np.errstate(invalid="ignore"):
        step = minimise_model(model, gradient, np.zeros((1, 2)), np.ones(2), 1e-4)
    assert np.isnan(step).any()


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
    assert np.flatnonzero(fit.coef_[0] == 0).tolist() == [np.argsort(shares)[3]]


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


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 1.0])
def test_what_the_classes_share_is_where_the_penalty_is_least(l1_ratio):
    """The loss is flat along it, and a weak penalty nearly: conjugate gradients found it in a thousand passes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4_000, 200))
    y = (X @ rng.standard_normal((200, 5)) / 5 + rng.gumbel(size=(4_000, 5))).argmax(axis=1)
    fit = CrossEntropyClassifier(solver="newton-cg", C=6, l1_ratio=l1_ratio, multi_class="multinomial").fit(X, y)
    assert fit.status_ == "converged"
    assert fit.n_passes_ < 250
    others = fit.coef_ + np.linspace(-0.1, 0.1, 201)[:, None, None]
    penalty = np.sum(l1_ratio * np.abs(others) + (1 - l1_ratio) / 2 * np.square(others), axis=1)
    np.testing.assert_allclose(penalty[100], penalty.min(axis=0), rtol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS_WITH_MODELS)
def test_columns_of_very_different_units_under_a_weak_l1_penalty(solver):
    """Its gap is proven by gradients a thousand times as exact as the objective has digits to tell."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3_000, 40)) * 10.0 ** rng.uniform(-4, 4, 40)
    y = (X / np.abs(X).max(axis=0) @ rng.standard_normal((40, 3)) * 3 + rng.gumbel(size=(3_000, 3))).argmax(axis=1)
    fit = CrossEntropyClassifier(C=1e4, l1_ratio=1.0, solver=solver, tol=1e-8).fit(X, y)
    assert fit.status_ == "converged"


@pytest.mark.parametrize("seed", range(6))
def test_many_tasks_of_a_category_walk_at_once(seed):
    rng = np.random.default_rng(seed)
    levels, y = rng.integers(0, 20, 20_000), rng.integers(0, 30, 20_000)
    fit = CrossEntropyClassifier(C=1e6, l1_ratio=1.0, multi_class="ovr").fit(np.eye(20)[levels], y)
    assert fit.status_ == "converged"
    assert fit.n_iter_[0] < 60


@pytest.mark.parametrize("solver", SOLVERS_WITH_MODELS)
def test_no_tolerance_of_a_lasso_ends_where_rounding_does(solver):
    X, _, y = category(500)
    with pytest.warns(ConvergenceWarning, match="stalled"):
        fit = CrossEntropyClassifier(C=10.0, l1_ratio=1.0, solver=solver, tol=0.0).fit(X, y)
    assert fit.optimality_gap_ < 1e-13
    assert fit.n_iter_[0] < 60
