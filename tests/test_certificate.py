"""The gap is a true bound, far away and near, and not a wild one."""

from fractions import Fraction

import numpy as np
import pytest
import reference
from scipy import sparse
from scipy.special import expit

from sklearn_xent import CrossEntropyClassifier, _targets
from sklearn_xent._certificate import Certificate, Curvature, SampledDual, duality_gap, hessian_gap
from sklearn_xent._design import as_design
from sklearn_xent._linalg import SemiDefinite, spd_solve
from sklearn_xent._objective import Objective
from sklearn_xent._penalty import ElasticNet
from sklearn_xent._reductions import draw, sample, standardised
from sklearn_xent.solvers import SOLVERS
from sklearn_xent.solvers.subsampled_newton import _direction, _model

pytestmark = pytest.mark.usefixtures("two_threads")


def random_problem(seed):
    rng = np.random.default_rng(seed)
    n_classes, multi_class = [(2, "ovr"), (3, "ovr"), (3, "multinomial"), (4, "multinomial")][seed % 4]
    X, y, weights = reference.make_problem(n_classes, 50, 5, seed)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    C = 10.0 ** rng.uniform(-2, 2)
    return X, y, weights, C, rng.choice([0.0, 0.2, 0.9, 1.0]), multi_class, bool(rng.integers(2))


def objective_of(X, y, weights, C, l1_ratio, multi_class, fit_intercept):
    targets = _targets.encode(y, weights, None, multi_class)
    penalty = ElasticNet.from_C(C, l1_ratio, targets.total, X.shape[1])
    return standardised(Objective(as_design(X), targets.loss, targets.weights, penalty, fit_intercept))


def test_the_bound_holds_everywhere_and_is_of_the_right_size():
    ratios = []
    for seed in range(120):
        X, y, weights, C, l1_ratio, multi_class, fit_intercept = random_problem(seed)
        best = CrossEntropyClassifier(
            C=C, l1_ratio=l1_ratio, multi_class=multi_class, fit_intercept=fit_intercept, tol=1e-13
        ).fit(X, y, weights)
        objective = objective_of(X, y, weights, C, l1_ratio, multi_class, fit_intercept)
        optimum, _ = objective.lower(best.coef_, best.intercept_)
        floor = objective.at(optimum).value
        certificate = Certificate(objective, target=0.0)
        rng = np.random.default_rng(seed)
        for distance in (10.0, 1.0, 1e-2, 1e-4):
            point = objective.at(
                optimum + distance * rng.standard_normal(objective.shape) * rng.integers(0, 2, objective.shape)
            )
            gap, excess = certificate.gap(point), point.value - floor
            assert gap >= excess * (1 - 1e-6) - 1e-14, (seed, distance)
            if distance == 1.0 and excess > 1e-6:
                ratios.append(gap / excess)
    assert np.median(ratios) < 10


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_a_sample_proves_what_the_gradient_alone_does_not(n_classes, multi_class, l1_ratio, fit_intercept, container):
    """The bound holds wherever it is asked for; near the optimum it is the true distance, times rows over sampled rows."""
    ratios = []
    for seed in range(6):
        X, y, weights = reference.make_problem(n_classes, 2_000, 6, seed)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        objective = objective_of(container(X), y, weights, 1.0, l1_ratio, multi_class, fit_intercept)
        best = CrossEntropyClassifier(
            l1_ratio=l1_ratio, multi_class=multi_class, fit_intercept=fit_intercept, tol=1e-14, solver="newton"
        ).fit(X, y, weights)
        optimum, _ = objective.lower(best.coef_, best.intercept_)
        floor, everything = objective.at(optimum).value, np.ones(6, dtype=bool)
        part, rows = sample(objective, 500, seed)
        place = part.at(optimum)
        dual, model = SampledDual(rows, place), _model(place)
        rng = np.random.default_rng(seed)
        for distance in (1.0, 0.1, 1e-2, 1e-3):
            step = distance * rng.standard_normal(objective.shape)
            point = objective.at(np.where(optimum == 0, 0, optimum + step))
            D, squared = _direction(point, model, accuracy=1e-12)
            bound, excess = dual.gap(point, D, everything), point.value - floor
            assert bound >= excess * (1 - 1e-6) - 1e-14, (seed, distance)
            if distance == 1e-3:
                ratios.append(bound / excess)
                assert 0.3 < dual.promises(squared, objective) / bound < 3
                assert bound < duality_gap(point, everything)
    assert np.median(ratios) < 2 * 2_000 / 500


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_gap_vanishes_with_the_square_root_of_nothing(l1_ratio, multi_class):
    """At the optimum the bound is as small as rounding, so that tolerances of 1e-14 mean something."""
    X, y, weights = reference.make_problem(3)
    fit = CrossEntropyClassifier(l1_ratio=l1_ratio, multi_class=multi_class, tol=1e-14).fit(X, y, weights)
    assert fit.status_ == "converged"
    assert fit.optimality_gap_ < 1e-14


def test_all_zero_is_certified_where_the_penalty_says_so():
    """Above lambda_max the lasso's optimum is zero: the certificate sees it before a single step."""
    X, y, weights = reference.make_problem(3)
    prevalence = np.bincount(y, weights) / weights.sum()
    residuals = weights[:, None] * (reference.onehot_of(y, True) - prevalence)
    C = 0.999 / np.max(np.abs(residuals.T @ X))
    fit = CrossEntropyClassifier(C=C, l1_ratio=1.0, multi_class="multinomial").fit(X, y, weights)
    assert len(fit.history_["gap"]) == 1
    assert np.all(fit.coef_ == 0)
    fit = CrossEntropyClassifier(C=1.01 * C / 0.999, l1_ratio=1.0, multi_class="multinomial").fit(X, y, weights)
    assert np.any(fit.coef_ != 0)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_self_concordance_bounds_the_distance(n_classes, multi_class, fit_intercept, l1_ratio, C):
    ratios, gaps = [], []
    for seed in range(8):
        X, y, weights = reference.make_problem(n_classes, 300, 4, seed)
        objective = objective_of(X, y, weights, C, l1_ratio, multi_class, fit_intercept)
        best = CrossEntropyClassifier(
            C=C, l1_ratio=l1_ratio, multi_class=multi_class, fit_intercept=fit_intercept, tol=1e-14, solver="newton"
        ).fit(X, y, weights)
        optimum, _ = objective.lower(best.coef_, best.intercept_)
        floor, rng = objective.at(optimum).value, np.random.default_rng(seed)
        for distance in (10.0, 0.3, 1e-2, 1e-4):
            point = objective.at(optimum + distance * rng.standard_normal(objective.shape))
            gap, excess = hessian_gap(point), point.value - floor
            assert gap >= excess * (1 - 1e-6) - 1e-14, (seed, distance)
            gaps.append(gap)
            if distance == 1e-2:
                ratios.append(gap / excess)
    assert np.isinf(gaps).any()  # far away there is no bound, and that is what it says
    if l1_ratio == 0 or np.isinf(C):  # beside a kink of the l1 norm no smooth model is near
        assert np.median(ratios) < 2


@pytest.mark.parametrize("rows", ["some", "all"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_curvature_of_some_rows_at_one_place_bounds_the_distance_of_others(n_classes, multi_class, fit_intercept, rows):
    for seed in range(6):
        X, y, weights = reference.make_problem(n_classes, 400, 4, seed)
        objective = objective_of(X, y, weights, np.inf, 0.0, multi_class, fit_intercept)
        best = CrossEntropyClassifier(
            C=np.inf, multi_class=multi_class, fit_intercept=fit_intercept, tol=1e-14, solver="newton"
        ).fit(X, y, weights)
        optimum, _ = objective.lower(best.coef_, best.intercept_)
        floor, rng = objective.at(optimum).value, np.random.default_rng(seed)
        start = objective.at(optimum + 0.1 * rng.standard_normal(objective.shape))
        chosen = slice(None) if rows == "all" else draw(objective, 100)[0]
        curvature = Curvature(start, chosen)
        for distance in (1.0, 0.1, 1e-2, 1e-3, 1e-5):
            point = objective.at(optimum + distance * rng.standard_normal(objective.shape))
            gap, excess = curvature.gap(point), point.value - floor
            assert gap >= excess * (1 - 1e-6) - 1e-14, (seed, distance)
        shrunk = np.exp(curvature.distance(point))  # what curvature may have fallen by
        assert gap <= 10 * shrunk * excess + 1e-13  # near the optimum it always tells; a quarter of the rows, a quarter of it


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", sorted(SOLVERS))
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_gaps_of_fits_that_look_at_a_part_of_the_rows(n_classes, multi_class, solver):
    X, y, weights = reference.make_problem(n_classes, 4_000, 4)
    params = {"C": np.inf, "multi_class": multi_class, "random_state": 0}
    floor = CrossEntropyClassifier(solver="newton", tol=1e-14, **params).fit(X, y, weights).history_["objective"][-1]
    for tol in (1e-3, 1e-8):
        fit = CrossEntropyClassifier(solver=solver, tol=tol, max_iter=300, **params).fit(X, y, weights)
        assert solver in ("gd", "sgd") or fit.status_ == "converged"  # those two are slow
        assert np.all(np.array(fit.history_["gap"]) >= np.array(fit.history_["objective"]) - floor - 1e-15)


@pytest.mark.parametrize("solver", ["auto", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_a_part_of_the_rows_proves_as_long_as_that_is_cheaper(monkeypatch, tol, solver):
    """A loose tolerance once asked for the curvature of all rows at one iterate after the other: seven times the fit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12_000, 20)) @ rng.standard_normal((20, 20))
    scores = X @ rng.standard_normal((20, 6))
    y = (3 * scores / scores.std() + rng.gumbel(size=scores.shape)).argmax(axis=1)
    whole, make = [], Curvature.__init__

    def spy(curvature, point, rows):
        whole.append(isinstance(rows, slice))
        make(curvature, point, rows)

    monkeypatch.setattr(Curvature, "__init__", spy)
    fit = CrossEntropyClassifier(solver=solver, C=np.inf, multi_class="multinomial", tol=tol).fit(X, y)
    assert fit.status_ == "converged"
    assert whole[0] is False
    assert sum(whole) <= (1 if solver == "auto" else 3)


@pytest.mark.parametrize("solver", ["auto", "newton-cg", "lbfgs"])
def test_a_part_that_cannot_tell_is_not_waited_for(monkeypatch, solver):
    """Collinear columns: no Hessian of a part of the rows is regular, and none will be."""
    X, y, weights = reference.make_problem(2, 6_000, 4)
    made, make = [], Curvature.__init__

    def spy(curvature, point, rows):
        make(curvature, point, rows)
        made.append((curvature.whole, point.objective.n_passes))

    monkeypatch.setattr(Curvature, "__init__", spy)
    fit = CrossEntropyClassifier(solver=solver, C=np.inf).fit(np.hstack([X, X[:, :1]]), y, weights)
    assert fit.status_ == "converged"
    assert [whole for whole, _ in made[:2]] == [False, True]
    assert made[1][1] - made[0][1] < 1


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (4, "multinomial")])
def test_the_bound_of_the_reach_is_one(n_classes, multi_class, fit_intercept, container):
    X, y, weights = reference.make_problem(n_classes, 200, 3)
    objective = objective_of(container(X), y, weights, np.inf, 0.0, multi_class, fit_intercept)
    point = objective.at(0.3 * np.random.default_rng(0).standard_normal(objective.shape))
    factors = point.factors()
    reach = point.reach(factors)
    assert reach <= point.reach_bound(factors, objective.longest) < 30 * reach
    # Of fewer rows the metric is shorter, and every row's reach longer.
    part = point.of_rows(draw(objective, 60)[0])
    fewer = part.factors()
    assert reach < part.reach_bound(fewer, objective.longest)
    for factor, smaller in zip(factors, fewer, strict=True):
        ours, theirs = (np.linalg.inv(half.T @ half) for half in (f.half(np.eye(f.size)) for f in (factor, smaller)))
        assert np.linalg.eigvalsh(ours - theirs).min() > -1e-12


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (4, "multinomial")])
def test_no_step_reaches_further_than_the_reach(n_classes, multi_class, fit_intercept, container):
    X, y, weights = reference.make_problem(n_classes, 60, 3)
    objective = objective_of(container(X), y, weights, 10.0, 0.0, multi_class, fit_intercept)
    rng = np.random.default_rng(0)
    point = objective.at(0.3 * rng.standard_normal(objective.shape))
    reach, longest = point.reach(point.factors()), 0.0
    curvature = objective.loss.curvature(objective.weights, point.residuals(slice(None)))
    for _ in range(300):
        V, b = rng.standard_normal(objective.shape), fit_intercept * rng.standard_normal(objective.shape[0])
        U = objective.scores(objective.design, V) + b
        length = np.sqrt(np.sum(U * curvature.apply(U)) + np.sum(objective.penalty.l2 * V * V))
        moved = np.ptp(U, axis=1) if multi_class == "multinomial" else np.abs(U)
        longest = max(longest, moved.max() / length)
    assert 0.2 * reach < longest <= reach * (1 + 1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_ends_early_is_certified_whatever_that_costs():
    X, y, weights = reference.make_problem(3, 200)
    fit = CrossEntropyClassifier(C=np.inf, solver="lbfgs", tol=0.0, max_iter=25).fit(X, y, weights)
    assert fit.status_ == "max_iter"
    assert fit.optimality_gap_ < 1e-2 * fit.history_["objective"][-1]


def test_the_gap_never_grows_and_holds_along_the_way():
    X, y, weights = reference.make_problem(3)
    fit = CrossEntropyClassifier(C=1e3, solver="newton", tol=1e-12).fit(X, y, weights)
    gaps, values = np.array(fit.history_["gap"]), np.array(fit.history_["objective"])
    assert np.all(np.diff(gaps) <= 0)
    assert np.all(values - values[-1] <= gaps)


def test_a_tiny_penalty_is_certified_like_none():
    X, y, weights = reference.make_problem(2)
    tiny = CrossEntropyClassifier(C=1e30, tol=1e-10).fit(X, y, weights)
    none = CrossEntropyClassifier(C=np.inf, tol=1e-10).fit(X, y, weights)
    assert tiny.status_ == "converged"
    np.testing.assert_allclose(tiny.coef_, none.coef_, rtol=1e-6)


def exact_objective(X, y, coef, intercept, offset, C):
    """Objective at coefficients of ``X + offset``: the offset's share of the scores in fractions, the rest extended."""
    shift = Fraction(float(intercept)) + sum(Fraction(float(w)) * Fraction(offset) for w in coef)
    scores = X.astype(np.longdouble) @ coef.astype(np.longdouble) + np.longdouble(float(shift))
    return float(np.mean(np.logaddexp(0, np.where(y == 1, -1, 1) * scores)) + coef @ coef / (2 * C * len(y)))


@pytest.mark.parametrize("tol", [1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, 1e11])
@pytest.mark.parametrize("solver", ["auto", "newton-cg", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_offset_of_the_columns_makes_no_certificate_false(solver, offset, tol):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = np.round(rng.standard_normal((100, 3)) * 2**12) / 2**12  # X + offset is exact
        y = (rng.random(100) < expit(X[:, 0])).astype(int)
        best = CrossEntropyClassifier(tol=1e-14).fit(X, y)
        fit = CrossEntropyClassifier(solver=solver, tol=tol).fit(X + offset, y)
        least = exact_objective(X, y, best.coef_[0], best.intercept_[0], 0.0, 1.0)
        excess = exact_objective(X, y, fit.coef_[0], fit.intercept_[0], offset, 1.0) - least
        assert fit.optimality_gap_ >= max(excess - 2e-16, 0)
        if offset <= 1e8:
            assert fit.status_ == "converged"


def classes_of(rng, X, n_classes):
    return np.argmax(X @ rng.standard_normal((X.shape[1], n_classes)) + rng.gumbel(size=(len(X), n_classes)), axis=1)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("max_iter", [1, 3, 1000])
@pytest.mark.parametrize("solver", ["auto", "newton", "subsampled-newton", "newton-cg", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_penalty_that_is_lost_beside_one_that_dwarfs_the_rest(solver, max_iter, l1_ratio):
    """One column is as good as free, another as good as absent: their curvatures are 36 orders of magnitude apart."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 5))
    y = classes_of(rng, X, 3)
    params = {"multi_class": "multinomial", "l1_ratio": l1_ratio}
    # In the limit: the first column free (a scale of 1e4 is as good), the last absent.
    best = CrossEntropyClassifier(**params, tol=1e-10).fit(X[:, :-1] * [1e4, 1, 1, 1], y).history_["objective"][-1]
    fit = CrossEntropyClassifier(**params, solver=solver, max_iter=max_iter).fit(X * [1e9, 1, 1, 1, 1e-9], y)
    excess = fit.history_["objective"][-1] - best
    assert excess <= fit.optimality_gap_ + 1e-7
    if max_iter == 1000 and l1_ratio == 0:  # an l1 strength of 1e-9 is not lost, but too weak for a tight dual point
        assert fit.status_ == "converged"
        assert abs(excess) < 1e-6


@pytest.mark.parametrize("solver", ["auto", "newton", "subsampled-newton", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(5))
def test_columns_that_are_nearly_the_same_prove_nothing_beyond_rounding(solver, seed):
    """What distinguishes them has less curvature than rounding leaves, and may still be worth a hundredth of the objective."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((80, 3))
    y = classes_of(rng, X, 2)
    apart = rng.standard_normal(80)
    best = CrossEntropyClassifier(C=np.inf, tol=1e-10).fit(np.column_stack([X, apart]), y)
    fit = CrossEntropyClassifier(C=np.inf, solver=solver).fit(np.column_stack([X, X[:, 0] + 3e-8 * apart]), y)
    excess = fit.history_["objective"][-1] - best.history_["objective"][-1]
    assert excess <= fit.optimality_gap_ + 1e-6  # 3e-8 itself is rounded to eight digits


def test_a_solve_sees_small_curvature_beside_large():
    A = np.array([[1e16, 0, 0], [0, 0.25, 0.25], [0, 0.25, 0.25]])
    factor = SemiDefinite(A)
    np.testing.assert_allclose(factor.solve(np.array([0, 0.3, 0.3])), [0, 0.6, 0.6], rtol=1e-12)
    along, across = factor.norms(np.array([[0, 0.3, 0.3], [0, 1e-3, -1e-3]]).T)
    assert along == pytest.approx(0.36, rel=1e-12)
    assert across == np.inf  # a slope where there is no curvature: nothing is bounded


@pytest.mark.parametrize("rank", [3, 2])
def test_coordinates_without_curvature_are_left_out(rank):
    """As if they were not there: in solves, norms, halves and traces of the inverse, of regular and singular matrices."""
    rng = np.random.default_rng(0)
    roots, used = rng.standard_normal((rank, 3)), np.array([False, True, True, False, True])
    A, live, b = np.zeros((5, 5)), roots.T @ roots, roots.T @ rng.standard_normal(rank)
    A[np.ix_(used, used)] = live
    B = np.zeros((5, 2))
    B[used, 0] = b
    B[:, 1] = B[:, 0] + [1e-3, 0, 0, 0, 0]
    factor, alone = SemiDefinite(A), SemiDefinite(live)
    x = factor.solve(B[:, 0])
    np.testing.assert_allclose(x[used], alone.solve(b), rtol=1e-12)
    assert not x[~used].any()
    np.testing.assert_allclose(factor.norms(B), [*alone.norms(b[:, None]), np.inf], rtol=1e-12)
    assert factor.regular(used) == alone.regular(np.ones(3, dtype=bool)) == (rank == 3)
    assert not factor.regular(np.ones(5, dtype=bool))
    if rank == 3:
        assert factor.inverse_trace() == pytest.approx(np.trace(np.linalg.inv(live)), rel=1e-10)
        half = factor.half(B[:, :1])
        np.testing.assert_allclose(half.T @ half, [[b @ np.linalg.solve(live, b)]], rtol=1e-10)


def test_a_singular_solve_is_the_least_on_a_basis():
    rng = np.random.default_rng(0)
    for size, rank in ((1, 0), (3, 3), (6, 3), (120, 80)):
        B = rng.standard_normal((size, rank)) * 10.0 ** rng.integers(-8, 8, (size, 1))
        A, b = B @ B.T, B @ rng.standard_normal(rank)
        x = spd_solve(A, b)
        units = np.sqrt(np.maximum(A.diagonal(), 1e-300))
        np.testing.assert_allclose(A @ x / units, b / units, atol=1e-6 * np.abs(b / units).max(initial=1e-300))
        assert np.count_nonzero(x) <= rank


def test_pinning_a_common_shift_changes_no_step():
    X, y, weights = reference.make_problem(3, 60, 3)
    objective = objective_of(X, y, weights, np.inf, 0.0, "multinomial", True)
    point = objective.at(np.random.default_rng(0).standard_normal(objective.shape))
    (factor,), (hessian,) = point.factors(), point.hessian()
    assert factor.regular(point.live)
    assert np.linalg.matrix_rank(hessian) == len(hessian) - objective.shape[1]
    gradient = point.gradient.ravel()
    np.testing.assert_allclose(factor.solve(gradient), np.linalg.pinv(hessian, rcond=1e-12) @ gradient, rtol=1e-9)
