"""Smaller problems: the sample keeps what it must, the rotation has the same optimum, and the plan pays."""

import numpy as np
import pytest
import reference
from scipy import sparse
from sklearn.datasets import make_classification

from sklearn_xent import CrossEntropyClassifier, _costs, _targets
from sklearn_xent._certificate import duality_gap
from sklearn_xent._costs import Costs
from sklearn_xent._design import Dense, as_design
from sklearn_xent._minimise import Controls, Monitor
from sklearn_xent._model import ExplicitModel
from sklearn_xent._objective import Objective
from sklearn_xent._operator import HessianOperator
from sklearn_xent._penalty import ElasticNet
from sklearn_xent._point import Point
from sklearn_xent._reductions import Nest, Screen, likely, places_among, sample, standardised
from sklearn_xent.solvers import LBFGS, Auto, Newton, NewtonCG, SubsampledNewton, newton, subsampled_newton
from sklearn_xent.solvers.newton import _WorkingSets
from sklearn_xent.solvers.subsampled_newton import _Descent, _Found

pytestmark = pytest.mark.usefixtures("two_threads")


def objective_of(X, y, weights=None, multi_class="multinomial", class_weight=None):
    weights = np.ones(len(y)) if weights is None else weights
    targets = _targets.encode(y, weights, class_weight, multi_class)
    penalty = ElasticNet.from_C(1.0, 0.0, targets.total, X.shape[1])
    return Objective(as_design(X), targets.loss, targets.weights, penalty, True)


def imbalanced(n=20_000):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [n - 220, 200, 20])  # in order, which a sample must not trip over
    return rng.standard_normal((n, 3)) + y[:, None], y, rng.exponential(size=n)


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize(("multi_class", "class_weight"), [("ovr", None), ("ovr", "balanced"), ("multinomial", "balanced")])
def test_a_sample_keeps_the_weight_of_each_class_and_has_rare_ones(container, multi_class, class_weight):
    X, y, weights = imbalanced()
    whole = objective_of(container(X), y, weights, multi_class, class_weight)
    part, rows = sample(whole, 600)
    np.testing.assert_array_equal(part.loss.classes, whole.loss.classes[rows])
    for k in range(3):
        ours, theirs = part.loss.classes == k, whole.loss.classes == k
        np.testing.assert_allclose(part.weights[ours].sum(axis=0), whole.weights[theirs].sum(axis=0), rtol=1e-12)
        assert ours.sum() >= min(theirs.sum(), 50) * 0.9
    assert 550 <= part.design.shape[0] <= 750


def test_a_sample_of_data_in_order_covers_all_of_it():
    n = 10_000
    whole = objective_of(np.arange(n, dtype=float)[:, None], np.arange(n) % 2)
    drawn = np.sort(sample(whole, 500)[0].design.X[:, 0])
    assert np.max(np.diff(drawn)) <= 80  # two classes, runs of 40 rows each: gaps are at most two runs


def test_rows_of_no_weight_are_not_drawn():
    X, y, weights = imbalanced(2_000)
    weights[::2] = 0
    assert sample(objective_of(X, y, weights), 300)[0].row_weight.min() > 0


@pytest.mark.parametrize("size", [None, 700])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_sampled_start_ends_at_the_same_optimum(container, multi_class, l1_ratio, size):
    X, y = make_classification(8_000, 12, n_informative=6, n_classes=3, weights=[0.9, 0.08, 0.02], random_state=0)
    X *= np.exp(np.linspace(-3, 3, 12))
    params = {"C": 0.01, "l1_ratio": l1_ratio, "multi_class": multi_class, "tol": 1e-11}
    ours = CrossEntropyClassifier(solver=SubsampledNewton(size), **params).fit(container(X), y)
    newton = CrossEntropyClassifier(solver="newton", **params).fit(container(X), y)
    assert ours.status_ == "converged"
    difference = ours.history_["objective"][-1] - newton.history_["objective"][-1]
    assert abs(difference) <= ours.optimality_gap_ + newton.optimality_gap_ + 1e-15
    np.testing.assert_allclose(ours.predict_proba(X), newton.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("seed", [1, 3, 4, 9])
def test_a_poor_sample_does_no_harm(seed):
    """Weights over five orders of magnitude, 40 rows of 2,000: steps of the sample's Hessian may overshoot and rise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2000, 20)) * np.exp(rng.standard_normal(20))
    y = np.argmax(X @ rng.standard_normal((20, 5)) + rng.gumbel(size=(2000, 5)), axis=1)
    params = {"C": 1e-4, "l1_ratio": 0.5, "class_weight": "balanced", "solver": SubsampledNewton(40)}
    fit = CrossEntropyClassifier(**params).fit(X, y, np.exp(4 * rng.standard_normal(2000)))
    assert fit.status_ == "converged"
    assert np.all(np.diff(fit.history_["objective"]) <= 1e-10)


def test_the_same_data_give_the_same_numbers():
    X, y = make_classification(30_000, 20, random_state=0)
    one, two = (CrossEntropyClassifier().fit(X, y) for _ in range(2))
    assert one.solver_ == "subsampled-newton"
    assert one.n_passes_ < 12
    np.testing.assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_wide_ridge_in_the_coordinates_of_its_rows(C, container, fit_intercept, multi_class):
    X, y, weights = reference.make_problem(3, n_samples=30, n_features=90, weighted=True)
    X = X * np.exp(np.linspace(-2, 2, 90))
    X[:, 5] = 4.0  # constant
    if container is not sparse.csr_array:
        X[:, 7] += 1e4
    params = {"C": C, "fit_intercept": fit_intercept, "multi_class": multi_class, "tol": 1e-12}
    rotated = CrossEntropyClassifier(**params).fit(container(X), y, weights)
    other = CrossEntropyClassifier(solver="newton-cg", **params | {"tol": 2e-15}).fit(container(X), y, weights)
    assert (rotated.solver_, rotated.status_) == ("newton", "converged")
    np.testing.assert_allclose(rotated.coef_, other.coef_, atol=1e-5 * np.abs(other.coef_).max())


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("make", [
    lambda rng: np.repeat(rng.standard_normal((10, 90)), 3, axis=0),
    lambda rng: rng.standard_normal((30, 2)) @ rng.standard_normal((2, 90)),
    lambda rng: np.ones((30, 90)),
    lambda rng: rng.standard_normal((30, 90)) * np.logspace(-3, 3, 30)[:, None],
])  # fmt: skip
def test_rows_that_repeat_or_differ_in_length_have_coordinates_all_the_same(make, multi_class):
    rng = np.random.default_rng(0)
    X, y = make(rng), rng.integers(0, 3, 30)
    params = {"multi_class": multi_class, "tol": 1e-10}
    rotated = CrossEntropyClassifier(**params).fit(X, y)
    assert (rotated.solver_, rotated.status_) == ("newton", "converged")
    other = CrossEntropyClassifier(solver="newton-cg", **params).fit(X, y)
    assert rotated.history_["objective"][-1] <= other.history_["objective"][-1] + rotated.optimality_gap_


@pytest.mark.parametrize("row_solver", [None, Auto(), SubsampledNewton(), NewtonCG(), LBFGS()])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_any_solver_serves_in_the_coordinates_of_the_rows(row_solver, multi_class):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 300)), rng.integers(0, 4, 60)
    params = {"multi_class": multi_class, "tol": 1e-9}
    fit = CrossEntropyClassifier(solver=Newton(row_solver), **params).fit(X, y)
    other = CrossEntropyClassifier(solver="newton-cg", **params).fit(X, y)
    assert (fit.solver_, fit.status_) == ("newton", "converged")
    assert fit.history_["objective"][-1] <= other.history_["objective"][-1] + fit.optimality_gap_
    with pytest.raises(TypeError, match="row_solver must be a solver"):
        CrossEntropyClassifier(solver=Newton("newton-cg")).fit(X, y)


def test_plans_sample_where_that_pays():
    rng = np.random.default_rng(0)
    y = np.arange(200_000) % 2
    small = Costs(objective_of(rng.standard_normal((200, 5)), y[:200]))
    large = Costs(objective_of(rng.standard_normal((200_000, 40)), y))
    assert small.plan(200, 0.7, 1e-9).n_sampled is None
    plan = large.plan(200_000, 0.7, 1e-9)
    assert 40 * 2 <= plan.n_sampled <= 100_000
    assert plan.cost < large.hessian(200_000) * 6 + large.one_pass(200_000) * 6


def test_plans_average_the_hessian_where_many_classes_make_it_dear():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60_000, 60))
    few, many = (Costs(objective_of(X, np.arange(60_000) % n_classes)) for n_classes in (3, 20))
    assert not few.plan(60_000, 1.0, 1e-6).averaged
    assert many.plan(60_000, 1.0, 1e-6).averaged


@pytest.mark.parametrize(
    ("strength", "C", "enough"),
    [
        (0.3, 1.0, True),
        (0.3, np.inf, True),
        (0.3, 1e4, False),  # of so weak a penalty it proves too little
        (8.0, 1.0, False),  # where classes hardly overlap, it is no good
        (8.0, 1e4, False),
        (8.0, np.inf, False),
    ],
)
def test_an_averaged_hessian_gives_way_where_it_is_too_far_off(monkeypatch, strength, C, enough):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8_000, 15)) @ rng.standard_normal((15, 15))
    scores = X @ rng.standard_normal((15, 8))
    y = (scores / scores.std() * strength + rng.gumbel(size=scores.shape)).argmax(axis=1)
    given_up, renew = [], _Descent._renew
    monkeypatch.setattr(_Descent, "_renew", lambda *args: (given_up.append(not renew(*args)), not given_up[-1])[1])
    monkeypatch.setattr(Costs, "averaged_hessian", lambda *_: 0.0)
    monkeypatch.setattr(_costs, "AVERAGED_RATE", 1e-3)
    params = {"C": C, "multi_class": "multinomial", "tol": 1e-6}
    fit = CrossEntropyClassifier(solver=SubsampledNewton(sample_size=1_000), **params).fit(X, y)
    assert sum(given_up) == (not enough)
    assert fit.n_passes_ < 50
    best = CrossEntropyClassifier(solver="newton", **params | {"tol": 1e-13}).fit(X, y)
    assert fit.status_ == "converged"
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array])
def test_nested_working_sets_are_those_of_the_whole(container):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 12)), rng.integers(0, 2, 30)
    whole = objective_of(container(X), y)
    nest = Nest(whole)
    for columns in ([1, 4, 5, 9, 11], [4, 9], [4, 9], [5, 9], [], [0, 4], [4, 12 - 1], [3], [3, 4, 5]):
        columns = np.array(columns, dtype=int)
        part, direct, v = nest.restrict(columns), whole.restrict(columns), rng.standard_normal((1, len(columns)))
        np.testing.assert_array_equal(part.design.dot(v), direct.design.dot(v))
        np.testing.assert_array_equal(part.scale, direct.scale)
        np.testing.assert_array_equal(part.centre, direct.centre)
        assert part.design.share == pytest.approx(direct.design.share, rel=1e-12)
        assert len(nest.levels) <= 3


def test_a_nest_cuts_from_the_smallest_that_has_the_columns(monkeypatch):
    X, y = np.random.default_rng(0).standard_normal((30, 12)), np.arange(30) % 2
    cut_from, columns_of = [], Dense.columns
    monkeypatch.setattr(Dense, "columns", lambda self, columns: cut_from.append(self.shape[1]) or columns_of(self, columns))
    nest = Nest(objective_of(X, y))
    for columns in ([1, 4, 5, 9, 11], [4, 5, 9], [5], [4, 11], [0, 1]):
        nest.restrict(np.array(columns))
    assert cut_from == [12, 5, 3, 5, 12]


def test_a_copy_of_nearly_the_columns_that_are_asked_for_is_taken_as_it_is():
    X, y = np.random.default_rng(0).standard_normal((30, 60)), np.arange(30) % 2
    nest, copied = Nest(objective_of(X, y)), np.arange(0, 44, 2)
    np.testing.assert_array_equal(nest.around(copied), copied)  # all columns are too many
    nest.restrict(copied)
    for columns, expected in (
        (copied[1:-1], copied),
        (copied[3:], copied[3:]),  # too few of them
        (np.append(copied[1:], 45), np.append(copied[1:], 45)),  # one is missing
        (copied[:0], copied[:0]),
    ):
        np.testing.assert_array_equal(nest.around(columns), expected)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_a_hessian_is_cut_to_the_columns_that_it_has(multi_class):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 8)), rng.integers(0, 3, 60)
    whole, has = objective_of(X, y, multi_class=multi_class), np.array([0, 2, 3, 7])
    model = model_at_zero(whole.restrict(has))
    for columns in ([0, 2, 3, 7], [2, 7], [7], []):
        cut = model.restrict(places_among(np.array(columns, dtype=int), has))
        np.testing.assert_allclose(cut.blocks, model_at_zero(whole.restrict(np.array(columns, dtype=int))).blocks, atol=1e-14)
    for columns in ([1], [2, 4], [0, 2, 3, 7, 8]):
        assert places_among(np.array(columns), has) is None


@pytest.mark.parametrize("multi_class", ["binary", "ovr", "multinomial"])
def test_a_hessian_of_the_columns_that_matter_is_that_of_all_but_for_the_others(multi_class):
    objective = lasso_objective(multi_class, True, 0.7, True, 1.0)
    point = objective.at(np.random.default_rng(0).standard_normal(objective.shape) / 20, np.zeros(objective.shape[0]))
    columns = np.array([0, 2, 5, 399])
    all_of_them, part = ExplicitModel.at(point), ExplicitModel.at(point, columns)
    np.testing.assert_allclose(part.restrict(columns).blocks, all_of_them.restrict(columns).blocks, rtol=1e-10, atol=1e-14)
    others = np.setdiff1d(np.arange(400), columns)
    assert (part.diagonal[:, others] >= all_of_them.diagonal[:, others]).all()
    uncorrelated = part.restrict(others).blocks
    np.testing.assert_array_equal(uncorrelated, [np.diag(block.diagonal()) for block in uncorrelated])


@pytest.mark.parametrize(("container", "strength", "few"), [
    (np.asarray, 0.5, True), (np.asfortranarray, 0.5, True), (np.asarray, 0.01, False), (sparse.csr_array, 0.5, False)
])  # fmt: skip
def test_columns_that_are_likely_to_matter_are_taken_where_they_are_few(container, strength, few):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5_000, 200))
    targets = _targets.encode(X[:, 0] + X[:, 1] / 3 > rng.standard_normal(5_000), np.ones(5_000), None, "ovr")
    given = Objective(as_design(container(X)), targets.loss, targets.weights, ElasticNet(np.ones(200), np.zeros(200)), True)
    slopes = np.abs(given.origin().loss_gradient[0])
    penalty = ElasticNet(np.full(200, strength * slopes.max()), np.zeros(200))
    origin = standardised(Objective(given.design, targets.loss, targets.weights, penalty, True)).origin()
    columns, error = likely(origin), X.std(axis=0) / 2 / np.sqrt(5_000)
    if few:
        np.testing.assert_array_equal(columns, np.flatnonzero(slopes + 2 * error > strength * slopes.max()))
        assert 1 <= len(columns) < 100
    else:
        assert columns is None


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_columns_that_were_thought_not_to_matter_are_fitted_all_the_same(multi_class, l1_ratio, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3_000, 30)) + rng.standard_normal((3_000, 1))  # correlated
    y = (X[:, :3] + rng.gumbel(size=(3_000, 3))).argmax(axis=1)
    params = {"C": 0.1, "l1_ratio": l1_ratio, "multi_class": multi_class, "tol": 1e-8}
    misled = []

    def mislead(point):
        if point.objective.design.shape[0] == 3_000:
            return likely(point)
        misled.append(point)
        return np.array([7])

    monkeypatch.setattr(subsampled_newton, "likely", mislead)
    fit = CrossEntropyClassifier(solver=SubsampledNewton(sample_size=400), **params).fit(X, y)
    best = CrossEntropyClassifier(solver="newton", **params | {"tol": 1e-12}).fit(X, y)
    assert misled
    assert fit.status_ == "converged"
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_
    assert np.count_nonzero(fit.coef_) > 3


def long_rows(n_classes, n_rows=8_000, n_features=160):
    """Correlated columns, of which a few matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features)) + 0.5 * rng.standard_normal((n_rows, 1))
    scores = X[:, 5 * np.arange(n_classes)] @ rng.standard_normal((n_classes, n_classes))
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


@pytest.mark.parametrize("container", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_problems_in_few_columns_are_solved_in_a_copy(container, l1_ratio, n_classes, multi_class, fit_intercept):
    X, y = long_rows(n_classes)
    params = {"C": 0.004 * l1_ratio, "l1_ratio": l1_ratio, "multi_class": multi_class, "fit_intercept": fit_intercept}
    copies, of_few = [], _Descent.of_few

    def counted(descent, point, columns, *args):
        copies.append(len(columns))
        return of_few(descent, point, columns, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Descent, "of_few", counted)
        fit = CrossEntropyClassifier(solver=SubsampledNewton(2_000), tol=1e-9, **params).fit(container(X), y)
    best = CrossEntropyClassifier(solver="newton", tol=1e-12, **params).fit(X, y)
    assert bool(copies) == (not sparse.issparse(container(X)))
    assert all(n_columns < 160 / 6 for n_columns in copies)
    assert fit.status_ == "converged"
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_
    assert 0 < np.count_nonzero(fit.coef_.any(axis=0)) < 160 / 6


@pytest.mark.parametrize("missed", [slice(0, 1), slice(0, 3), slice(1, None)])
def test_columns_that_a_copy_lacks_are_found(monkeypatch, missed):
    X, y = long_rows(2)
    params = {"C": 0.01, "l1_ratio": 1.0}
    best = CrossEntropyClassifier(solver="newton", tol=1e-12, **params).fit(X, y)
    matter = np.flatnonzero(best.coef_)
    assert len(matter) == 11
    few = subsampled_newton.few
    misled = []

    def mislead(point):
        n_rows, n_features = point.objective.design.shape
        if n_rows == len(X) or n_features < X.shape[1]:
            return few(point)
        misled.append(point)
        return np.delete(matter, missed)

    monkeypatch.setattr(subsampled_newton, "few", mislead)
    fit = CrossEntropyClassifier(solver=SubsampledNewton(2_000), tol=1e-9, **params).fit(X, y)
    assert misled
    assert fit.status_ == "converged"
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_
    np.testing.assert_array_equal(np.flatnonzero(fit.coef_), matter)


@pytest.mark.parametrize("solver", ["auto", SubsampledNewton(2_000)])
def test_a_start_that_is_not_zero_outside_of_the_copy(solver):
    X, _ = long_rows(2)
    rng = np.random.default_rng(1)
    first = (X[:, :4].sum(axis=1) + 0.3 * X[:, 40:100].sum(axis=1) + rng.logistic(size=len(X)) > 0).astype(int)
    second = (2 * X[:, :4].sum(axis=1) + rng.logistic(size=len(X)) > 0).astype(int)
    params = {"C": 0.004, "l1_ratio": 1.0}
    fit = CrossEntropyClassifier(solver=solver, tol=1e-9, warm_start=True, **params).fit(X, first)
    assert np.count_nonzero(fit.coef_) > 40
    fit.fit(X, second)
    best = CrossEntropyClassifier(solver="newton", tol=1e-12, **params).fit(X, second)
    assert fit.status_ == "converged"
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_
    np.testing.assert_allclose(fit.coef_, best.coef_, atol=1e-4)


def test_a_copy_serves_as_long_as_it_has_the_columns():
    X, y = long_rows(2)
    objective = objective_of(X, y)
    descent = _Descent(_Found(None, None), Monitor(objective, Controls(), 5), Costs(objective))
    columns, part = descent._copy(np.array([3, 5, 40]))
    assert descent._copy(np.array([5, 40])) == (columns, part)
    other, another = descent._copy(np.array([5, 41]))
    assert list(other) == [5, 41]
    np.testing.assert_array_equal(another.design.X, X[:, [5, 41]])


def model_at_zero(objective):
    return ExplicitModel.at(objective.at(np.zeros(objective.shape), np.zeros(objective.shape[0])))


def lasso_objective(multi_class, fit_intercept, l1_ratio, weighted, scale):
    """An elastic net with l1 strengths of 0.6 times what would leave no column, in columns `scale` times as large."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 400)) + 1.0, rng.integers(0, 2 if multi_class == "binary" else 3, 80)
    X[:, 7], X[:, 8] = 1.0, X[:, 8] + (1e4 if fit_intercept else 0.0)  # constant; far from zero: columns move to their means
    X *= scale
    weights = rng.exponential(size=80) * rng.integers(0, 4, 80) if weighted else np.ones(80)
    targets = _targets.encode(y, weights, "balanced" if weighted else None, multi_class.replace("binary", "ovr"))
    given = Objective(as_design(X), targets.loss, targets.weights, ElasticNet.from_C(1, 1, 1, 400), fit_intercept)
    l1 = 0.6 * np.abs(given.origin().loss_gradient).max()
    l2 = l1 * scale * (1 - l1_ratio) / l1_ratio
    penalty = ElasticNet(np.full(400, l1), np.full(400, l2))
    objective = Objective(as_design(X), targets.loss, targets.weights, penalty, fit_intercept).centred()
    assert objective.design.origin.any() == fit_intercept
    return standardised(objective)


@pytest.mark.parametrize("multi_class", ["binary", "ovr", "multinomial"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("l1_ratio", "weighted", "scale"), [(1.0, False, 1.0), (0.7, True, 1.0), (1.0, True, 1e5)])
def test_slopes_that_are_left_as_they_were_do_not_matter(multi_class, fit_intercept, l1_ratio, weighted, scale, monkeypatch):
    monkeypatch.setattr(Dense, "copied_column", 1)  # however many columns can matter: only those are read
    rng = np.random.default_rng(1)
    objective = lasso_objective(multi_class, fit_intercept, l1_ratio, weighted, scale)
    known = objective.origin()
    for _ in range(3):  # on the way to an optimum, so that slopes are near the strength
        known = _WorkingSets(ExplicitModel.at, Monitor(objective, Controls(), 5)).step(fresh(known)) or known
    known, all_read = fresh(known), []
    for distance in (0.0, 1e-6, 1e-3, 1e-2, 0.1, 1.0, 100.0):
        screen = Screen(Nest(objective))
        screen.look(known)
        W = known.W * (1 + distance * rng.standard_normal(known.W.shape))
        W[0, np.argmin(np.abs(known.loss_gradient[0]))] = 1e-9  # a coefficient of no slope matters as well
        point = objective.at(W, known.b)
        screen.look(point)
        whole = fresh(point)
        rounding = 1e-12 * np.abs(whole.loss_gradient).max()
        left = np.abs(point.loss_gradient - whole.loss_gradient) > rounding
        assert not (left & (W != 0)).any()
        assert (np.abs(whole.loss_gradient) <= objective.penalty.l1)[left].all()
        np.testing.assert_allclose(point.gradient, whole.gradient, atol=rounding)
        penalised = objective.scale > 0
        assert duality_gap(point, penalised) == pytest.approx(duality_gap(whole, penalised), rel=1e-9, abs=1e-13)
        all_read.append(not left.any())
    assert not all(all_read[:4])  # near by, some are left
    assert all_read[-1]  # far away, none
    monkeypatch.setattr(Dense, "copied_column", 20)
    point = fresh(point)
    screen.look(point)
    assert screen.known[1] is point.loss_gradient  # of all columns: the one to compare the next with


def fresh(point):
    return Point(point.objective, point.W, point.b, point.scores(slice(None)).copy(order="F"))


def test_a_wide_lasso_reads_few_columns_at_the_end(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 6_000))
    y = (X[:, :5].sum(axis=1) + rng.standard_normal(150) > 0).astype(int)
    classifier = CrossEntropyClassifier(C=0.15, l1_ratio=1.0, tol=1e-12, solver="newton")
    few = classifier.fit(X, y).n_passes_
    monkeypatch.setattr(Dense, "copied_column", np.inf)
    assert few < classifier.fit(X, y).n_passes_ - 0.9


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_the_last_hessian_serves_once_more_where_that_is_enough(multi_class, container, monkeypatch):
    made, at = [], ExplicitModel.at
    monkeypatch.setattr(ExplicitModel, "at", lambda point: made.append(point) or at(point))
    X, y = make_classification(400, 12, n_informative=6, n_classes=3, random_state=0)
    params = {"C": 0.1, "l1_ratio": 1.0, "multi_class": multi_class, "solver": "newton"}
    best = CrossEntropyClassifier(tol=1e-14, **params).fit(X, y).history_["objective"][-1]
    saved = 0
    for tol in 10.0 ** -np.arange(3, 12):
        made.clear()
        fit = CrossEntropyClassifier(tol=tol, **params).fit(container(X), y)
        assert fit.status_ == "converged"
        assert fit.history_["objective"][-1] - best <= fit.optimality_gap_
        saved += fit.n_iter_[0] - len(made)
        assert len(made) >= 3  # far off, every step has its own
    assert saved >= 2


@pytest.mark.parametrize(
    ("gap", "before", "expected"),
    [(0.5, np.inf, 1e-2), (0.5, 0.4, 1e-2), (0.5, 10.0, 2.5e-3), (1e-3, 1.0, 1e-4), (2e-7, 1.0, 5e-3), (1e-6, 1.0, 1e-3)],
)
def test_how_far_models_are_minimised(gap, before, expected):
    """The first loosely, then by the last step's gain, and no further than a target of 1e-8 asks for."""
    assert newton.forcing(gap, before, 1e-8) == pytest.approx(expected)


def test_models_are_not_minimised_further_than_pays(monkeypatch):
    products, product = [], HessianOperator.product
    monkeypatch.setattr(HessianOperator, "product", lambda operator, V: products.append(1) or product(operator, V))
    X = sparse.random(3_000, 400, density=0.03, format="csr", random_state=0)
    y = (X @ np.random.default_rng(0).standard_normal(400) > 0).astype(int)
    classifier = CrossEntropyClassifier(C=0.5, l1_ratio=1.0, tol=1e-10, solver="newton-cg")
    counts = []
    for accuracy in (newton.forcing, lambda *_: newton.CLOSE, lambda *_: newton.LOOSE):
        monkeypatch.setattr(newton, "forcing", accuracy)
        products.clear()
        assert classifier.fit(X, y).status_ == "converged"
        counts.append(len(products))
    assert counts[0] < 0.95 * counts[1]
    assert counts[0] <= counts[2]


def test_a_hessian_that_leads_nowhere_gives_way_to_a_new_one(monkeypatch):
    monkeypatch.setattr(newton, "CHORD", 0.0)  # every step would be a chord step
    monkeypatch.setattr(
        ExplicitModel,
        "restrict",
        lambda _, columns: ExplicitModel(np.zeros((1, len(columns), len(columns))), (1, len(columns))),
    )
    X, y = make_classification(400, 12, n_informative=6, random_state=0)
    fit = CrossEntropyClassifier(C=0.1, l1_ratio=1.0, solver="newton", tol=1e-8).fit(X, y)
    assert fit.status_ == "converged"
    assert fit.n_iter_[0] < 12


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_events_that_no_row_of_the_sample_has_are_fitted_all_the_same(multi_class, C, l1_ratio, container):
    """The sample's Hessian knows nothing of them; without a penalty their coefficients used to stay where they were."""
    rng = np.random.default_rng(0)
    n_samples = 20_000
    rare = np.zeros((n_samples, 3))
    rare[np.arange(90) * 222, np.arange(90) % 3] = 1.0
    X = np.hstack([rng.standard_normal((n_samples, 4)), rare])
    y = (X @ rng.standard_normal((7, 3)) + rng.gumbel(size=(n_samples, 3))).argmax(axis=1)
    _, rows = sample(objective_of(X, y), 200)
    assert (rare[rows].sum(axis=0) == 0).any()
    params = {"C": C, "l1_ratio": l1_ratio, "multi_class": multi_class}
    fit = CrossEntropyClassifier(solver=SubsampledNewton(sample_size=200), **params).fit(container(X), y)
    best = CrossEntropyClassifier(solver="newton", tol=1e-13, **params).fit(X, y)
    assert fit.status_ == "converged"
    assert fit.history_["objective"][-1] - best.history_["objective"][-1] <= fit.optimality_gap_
    assert np.abs(fit.coef_ - best.coef_).max() < 0.2
    assert fit.n_passes_ < 40
