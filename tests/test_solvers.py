"""Every solver x penalty x multiclass x container, from the registry: one optimum, certified, whatever holds the data."""

import warnings

import numpy as np
import pytest
import reference
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_xent import CrossEntropyClassifier, _targets
from sklearn_xent._design import as_design
from sklearn_xent._minimise import Controls, line_search
from sklearn_xent._objective import Objective
from sklearn_xent._penalty import ElasticNet
from sklearn_xent._point import Point
from sklearn_xent.solvers import SOLVERS, GradientDescent, Newton, StochasticGradientDescent, newton_cg

PENALTIES = {"ridge": {}, "lasso": {"l1_ratio": 1.0}, "elastic net": {"l1_ratio": 0.5}, "none": {"C": np.inf}}
FIRST_ORDER = {"gd": GradientDescent(momentum="nesterov"), "sgd": StochasticGradientDescent(batch_size=4, n_epochs=200)}
TOLERANCE = {"gd": 1e-8, "sgd": 0.1}
SLOW = set(FIRST_ORDER)


def problem(multi_class):
    X, y, weights = reference.make_problem(2 if multi_class == "binary" else 3, n_samples=80)
    return (X - X.mean(axis=0)) / X.std(axis=0), y, weights


def classifier(solver, penalty, multi_class):
    return CrossEntropyClassifier(
        solver=FIRST_ORDER.get(solver, solver),
        multi_class="ovr" if multi_class == "binary" else multi_class,
        tol=TOLERANCE.get(solver, 1e-12),
        max_iter=5000,
        random_state=0,
        **PENALTIES[penalty],
    )


def penalised_objective(fit, X, y, weights):
    multinomial = fit.multi_class == "multinomial" and len(fit.classes_) > 2
    onehot = reference.onehot_of(y, multinomial)
    return reference.objective(X, onehot, weights, fit.coef_, fit.intercept_, fit.C, fit.l1_ratio, multinomial)


@pytest.mark.parametrize("container", reference.CONTAINERS)
@pytest.mark.parametrize("multi_class", ["binary", "ovr", "multinomial"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_optimum_whatever_the_solver_and_the_container(solver, penalty, multi_class, container):
    X, y, weights = problem(multi_class)
    X = X.astype(np.float32).astype(np.float64)  # so that float32 holds the same numbers
    held = reference.CONTAINERS[container](X)
    before = held.copy()
    fit = classifier(solver, penalty, multi_class).fit(held, y, weights)
    best = classifier("newton", penalty, multi_class).fit(X, y, weights)
    assert fit.status_ == "converged"
    excess = penalised_objective(fit, X, y, weights) - penalised_objective(best, X, y, weights)
    assert -1e-12 < excess <= fit.optimality_gap_ + best.optimality_gap_ + 1e-15
    assert fit.optimality_gap_ <= fit.tol * np.log(2) * len(fit.intercept_) * 1.2
    assert abs(held - before).sum() == 0
    if "l1_ratio" in PENALTIES[penalty] and solver not in SLOW:
        assert np.array_equal(fit.coef_ != 0, best.coef_ != 0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_history_tells_the_run(solver, penalty):
    X, y, weights = problem("ovr")
    fit = classifier(solver, penalty, "ovr").fit(X, y, weights)
    history = fit.history_
    assert set(history) == {"objective", "gap", "passes", "seconds"}
    assert len({len(values) for values in history.values()}) == 1
    assert len(history["objective"]) == fit.n_iter_[0] + 1
    assert np.all(np.diff(history["passes"]) > 0)
    assert np.all(np.diff(history["seconds"]) >= 0)
    assert fit.n_passes_ >= history["passes"][-1]
    assert min(history["gap"]) == fit.optimality_gap_
    kept = np.argmin(history["gap"])
    assert history["objective"][kept] == pytest.approx(float(penalised_objective(fit, X, y, weights)), rel=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_iteration_is_reported_as_what_it_is(solver, fit_intercept):
    X, y, weights = problem("multinomial")
    fit = classifier(solver, "ridge", "multinomial").set_params(max_iter=1, tol=1e-12, fit_intercept=fit_intercept)
    with pytest.warns(ConvergenceWarning, match=r"ended \(max_iter\) with an optimality gap of .* above the .*tol=1e-12"):
        fit.fit(X, y, weights)
    assert fit.status_ == "max_iter"
    assert list(fit.n_iter_) == [1]
    best = classifier("newton", "ridge", "multinomial").set_params(fit_intercept=fit_intercept).fit(X, y, weights)
    excess = penalised_objective(fit, X, y, weights) - penalised_objective(best, X, y, weights)
    assert 0 < excess <= fit.optimality_gap_


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_tolerance_ends_where_rounding_does(solver):
    X, y, weights = problem("ovr")
    fit = classifier(solver, "ridge", "ovr").set_params(tol=0.0, max_iter=20000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(X, y, weights)
    assert fit.status_ in {"stalled", "converged", "max_iter" if solver == "sgd" else "stalled"}
    assert np.all(np.isfinite(fit.coef_))
    assert fit.optimality_gap_ < (0.1 if solver == "sgd" else 1e-14)


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_at_the_optimum_needs_no_iterations(solver):
    X, y, weights = problem("multinomial")
    fit = classifier(solver, "ridge", "multinomial").set_params(warm_start=True).fit(X, y, weights)
    cold = fit.n_passes_
    coef = fit.coef_.copy()
    fit.fit(X, y, weights)
    assert len(fit.history_["gap"]) == 1
    assert fit.n_passes_ < cold
    np.testing.assert_allclose(fit.coef_, coef, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("solver", SOLVERS)
def test_fits_repeat_and_leave_the_solver_alone(solver):
    X, y, weights = problem("ovr")
    estimator = classifier(SOLVERS[solver]() if solver not in SLOW else solver, "lasso", "ovr").set_params(tol=0.1)
    params = clone(estimator).get_params()
    first = estimator.fit(X, y, weights).coef_.copy()
    np.testing.assert_array_equal(estimator.fit(X, y, weights).coef_, first)
    assert {k: v for k, v in estimator.get_params().items() if k != "solver"} == {
        k: v for k, v in params.items() if k != "solver"
    }


def test_lipschitz_step_descends_and_a_longer_one_need_not():
    X, y, weights = problem("ovr")
    with pytest.warns(ConvergenceWarning):
        fit = CrossEntropyClassifier(solver="gd", max_iter=50, tol=1e-14).fit(X, y, weights)
    assert np.all(np.diff(fit.history_["objective"]) < 0)
    with pytest.warns(ConvergenceWarning, match="stalled"):
        fit = CrossEntropyClassifier(C=1e-3, solver=GradientDescent(step_size=1e6)).fit(X, y, weights)
    assert np.all(np.isfinite(fit.coef_))


def test_momentum_pays():
    X, y, weights = reference.make_problem(3)
    passes = {}
    for momentum in (0.0, 0.9, "nesterov"):
        fit = CrossEntropyClassifier(solver=GradientDescent(momentum=momentum), max_iter=50000, tol=1e-6)
        passes[momentum] = fit.fit(X, y, weights).n_passes_
    assert passes[0.9] < passes[0.0] / 3
    assert passes["nesterov"] < passes[0.0] / 3


def test_sgd_is_reproducible_from_random_state():
    X, y, weights = problem("ovr")
    estimators = [CrossEntropyClassifier(solver="sgd", tol=0.1, random_state=seed) for seed in (0, 0, 1)]
    fits = [estimator.fit(X, y, weights).coef_ for estimator in estimators]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_hessian_averaged_over_the_rows_saves_products(monkeypatch, C, container):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3_000, 12)) @ rng.standard_normal((12, 12))  # columns far from uncorrelated
    scores = X @ rng.standard_normal((12, 6))
    y = (2 * scores / scores.std() + rng.gumbel(size=scores.shape)).argmax(axis=1)
    estimator = CrossEntropyClassifier(solver="newton-cg", multi_class="multinomial", C=C, tol=1e-10)
    averaged = clone(estimator).fit(container(X), y)
    monkeypatch.setattr(newton_cg, "WORTH_PASSES", 0)
    plain = clone(estimator).fit(container(X), y)
    assert (averaged.status_, plain.status_) == ("converged", "converged")
    assert averaged.n_passes_ < plain.n_passes_ / 3
    assert averaged.history_["objective"][-1] == pytest.approx(plain.history_["objective"][-1], rel=1e-9)


@pytest.mark.parametrize(("C", "worth"), [(0.01, False), (100, True)])
def test_an_averaged_hessian_is_made_when_products_have_cost_as_much(monkeypatch, C, worth):
    X, y = sparse.random(5_000, 350, density=0.02, format="csr", random_state=0), np.random.default_rng(0).integers(0, 3, 5_000)
    made, factors = [], Point.averaged_factors
    monkeypatch.setattr(Point, "averaged_factors", lambda place: made.append(place) or factors(place))
    fit = CrossEntropyClassifier(solver="newton-cg", multi_class="multinomial", C=C).fit(X, y)
    assert bool(made) == worth
    assert len(made) < fit.n_iter_[0]


class Bent:
    """A line along which the objective falls at the rate `fall` and, from `place` on, rises at the rate `rise`."""

    def __init__(self, place, fall, rise):
        self.place, self.fall, self.rise = place, fall, rise

    def slope(self, t):
        return np.tanh((t - self.place) / (1e-2 * self.place)) * (self.fall if t < self.place else self.rise)

    def rises(self, t):
        return self.rise * (t - self.place) > self.fall * self.place


@pytest.mark.parametrize("place", [1e-7, 1e-4, 0.03, 1.0, 7.0, 1e5])
@pytest.mark.parametrize("fall", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize("rise", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize("trial", [1.0, 2.5])
def test_line_searches_end_wherever_and_however_abruptly_the_slope_turns(place, fall, rise, trial):
    """Of the secants alone one end would hardly move: a direction made of hardly any curvature once ended a fit."""
    line = Bent(place, fall, rise)
    t = line_search(line, 1 / 8, trial=trial)
    assert 0.9 * place < t
    assert not line.rises(t)


def test_controls_may_be_used_twice():
    X, y, weights = problem("binary")
    targets = _targets.encode(y, weights, None, "ovr")
    objective = Objective(
        as_design(X), targets.loss, targets.weights, ElasticNet.from_C(1.0, 0.0, targets.total, X.shape[1]), True
    )
    controls = Controls()
    first, second = (Newton().minimise(objective, controls) for _ in range(2))
    assert len(second.history["gap"]) == len(first.history["gap"]) == first.n_iter + 1
