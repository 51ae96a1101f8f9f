"""Objective, points and lines: derivatives by finite differences, identities, the meter, the bound of the curvature."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
import reference
from scipy import sparse
from scipy.optimize import approx_fprime
from scipy.special import softmax

from sklearn_xent import _targets
from sklearn_xent._certificate import duality_gap
from sklearn_xent._design import as_design
from sklearn_xent._objective import Objective
from sklearn_xent._operator import HessianOperator
from sklearn_xent._penalty import ElasticNet
from sklearn_xent._point import Point
from sklearn_xent._reductions import standardised
from sklearn_xent._threads import team

pytestmark = pytest.mark.usefixtures("two_threads")

CASES = [
    (n_classes, multi_class, fit_intercept, class_weight)
    for n_classes, multi_class in [(2, "ovr"), (3, "ovr"), (3, "multinomial")]
    for fit_intercept in (True, False)
    for class_weight in (None, "balanced")
]
cases = pytest.mark.parametrize(("n_classes", "multi_class", "fit_intercept", "class_weight"), CASES)
containers = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array], ids=["dense", "csr", "csc"])


def build(n_classes, multi_class, fit_intercept, class_weight, container=np.asarray, l1_ratio=0.0, units=standardised):
    X, y, weights = reference.make_problem(n_classes, n_samples=40)
    targets = _targets.encode(y, weights, class_weight, multi_class)
    penalty = ElasticNet.from_C(1.0, l1_ratio, targets.total, X.shape[1])
    objective = Objective(as_design(container(X)), targets.loss, targets.weights, penalty, fit_intercept)
    return units(objective)


def somewhere(objective, seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, objective.shape)


@containers
@cases
def test_gradient_and_hessian(n_classes, multi_class, fit_intercept, class_weight, container):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, container)
    W = somewhere(objective)
    point = objective.at(W)

    def value(w):
        return objective.at(w.reshape(W.shape)).value

    def gradient(w):
        return objective.at(w.reshape(W.shape)).gradient.ravel()

    np.testing.assert_allclose(point.gradient.ravel(), approx_fprime(W.ravel(), value, 1e-6), atol=1e-5)
    by_differences = np.array([(gradient(W.ravel() + e) - gradient(W.ravel() - e)) / 2e-5 for e in 1e-5 * np.eye(W.size)])
    V = somewhere(objective, 1)
    np.testing.assert_allclose(HessianOperator(point).product(V).ravel(), by_differences @ V.ravel(), atol=1e-8)
    blocks = point.hessian()
    whole = np.zeros((W.size, W.size))
    for k, block in enumerate(blocks):
        here = slice(k * len(block), (k + 1) * len(block))
        whole[here, here] = block
    np.testing.assert_allclose(whole, by_differences, atol=1e-8)


@containers
@cases
def test_the_hessian_at_the_origin_needs_one_gram_matrix(n_classes, multi_class, fit_intercept, class_weight, container):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, container)
    origin, same = objective.origin(), objective.at(np.zeros(objective.shape))
    np.testing.assert_allclose(origin.hessian(), same.hessian(), atol=1e-14)
    assert type(same) is not type(origin)
    step = origin.along(somewhere(objective)).point(0.5)
    np.testing.assert_allclose(step.hessian(), objective.at(step.W, step.b).hessian(), atol=1e-13)


@containers
@cases
def test_the_curvature_at_the_origin_follows_from_the_moments(n_classes, multi_class, fit_intercept, class_weight, container):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, container)
    origin, same = objective.origin(), objective.at(np.zeros(objective.shape))
    n_passes = objective.n_passes
    for sums, expected in zip(origin.curved_moments(), Point.curved_moments(same), strict=True):
        np.testing.assert_allclose(sums, expected, atol=1e-14)
    assert objective.n_passes - n_passes == (0.5 if objective.weights.shape[1] == 1 else 1.0)


@containers
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("columns", [[0, 1, 2, 3], [0, 1, 2, 3, 3]], ids=["regular", "one column twice"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [3, 6])
def test_factors_at_the_origin_are_those_of_the_whole_hessian(n_classes, fit_intercept, columns, C, container):
    """Taken apart by the curvature that all rows have in common; the general way puts all outputs into one matrix."""
    X, y, weights = reference.make_problem(n_classes, n_samples=60)
    X = X + np.arange(1, 5)  # what the intercept takes over is no rounding then
    targets = _targets.encode(y, weights, "balanced", "multinomial")
    penalty = ElasticNet.from_C(C, 0.0, targets.total, len(columns))
    objective = Objective(as_design(container(X[:, columns])), targets.loss, targets.weights, penalty, fit_intercept)
    origin, other = objective.origin(), objective.origin()
    (apart,), (whole,) = origin.factors(), Point.factors(other)
    np.testing.assert_allclose(origin._mixed, other._mixed, rtol=1e-9, atol=1e-12)
    regular = C == 1.0 or len(columns) == 4
    assert all(factor.regular(origin.live) == regular for factor in (apart, whole))
    gradient = origin.gradient.ravel()
    np.testing.assert_allclose(apart.solve(gradient), whole.solve(gradient), rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    B = np.random.default_rng(0).standard_normal((origin.W.size, 5))
    B[:, :2] = np.stack([gradient, 2 * gradient], axis=1)
    np.testing.assert_allclose(apart.norms(B), whole.norms(B), rtol=1e-9)
    assert origin.reach([apart]) == pytest.approx(other.reach([whole]), rel=1e-9)
    if regular:
        assert apart.inverse_trace() == pytest.approx(whole.inverse_trace(), rel=1e-9)
        products = apart.half(B).T @ apart.half(B)
        np.testing.assert_allclose(products, whole.half(B).T @ whole.half(B), rtol=1e-9, atol=1e-9 * products.max())


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("rare", [0.3, 1e-3, 1e-9, 1e-15])
def test_the_constant_model_is_valued_exactly_however_rare_the_other_class(rare, multi_class):
    y = np.array([0, 1, 1, 2])
    weights = np.array([1.0, rare / 2, rare / 2, rare / 3])
    objective = Objective(as_design(np.eye(4)), *_coded(y, weights, multi_class), ElasticNet(np.zeros(4), np.ones(4)), True)
    shares = [Fraction(w) / sum(map(Fraction, weights)) for w in (weights[0], weights[1] + weights[2], weights[3])]
    with localcontext(prec=60):
        tasks = [shares] if multi_class == "multinomial" else [[share, 1 - share] for share in shares]
        exact = -sum(_decimal(share) * _decimal(share).ln() for task in tasks for share in task)
    assert objective.origin().value == pytest.approx(float(exact), rel=2e-15)


def _coded(y, weights, multi_class):
    targets = _targets.encode(y, weights, None, multi_class)
    return targets.loss, targets.weights


def _decimal(fraction):
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_averaged_factors_are_what_they_say(fit_intercept):
    objective = build(3, "multinomial", fit_intercept, "balanced")
    point = objective.at(somewhere(objective))
    (factor,) = point.averaged_factors()
    probabilities = softmax(point.scores(slice(None)), axis=1)
    curvature = objective.weights[:, :, None] * np.array([np.diag(p) - np.outer(p, p) for p in probabilities])
    traces = np.trace(curvature, axis1=1, axis2=2)
    X = (objective.design.X - objective.centre) * objective.scale
    centred = X - traces @ X / traces.sum() * fit_intercept
    expected = np.kron(curvature.sum(axis=0) / traces.sum(), centred.T @ (traces[:, None] * centred))
    expected += np.diag(np.tile(objective.penalty.l2, 3))
    b = np.random.default_rng(0).standard_normal(len(expected))
    np.testing.assert_allclose(factor.solve(b), np.linalg.solve(expected, b), rtol=1e-9)


@cases
def test_the_intercept_is_optimal_at_every_point(n_classes, multi_class, fit_intercept, class_weight):
    objective = build(n_classes, multi_class, fit_intercept, class_weight)
    point = objective.at(3 * somewhere(objective))
    total = (objective.weights * point.residuals(slice(None))).sum(axis=0)
    if fit_intercept:
        np.testing.assert_allclose(total, 0, atol=1e-15)
    else:
        np.testing.assert_array_equal(point.b, 0)
        assert np.max(np.abs(total)) > 1e-3


@pytest.mark.parametrize(("multi_class", "size"), [("ovr", 10.0), ("ovr", 1e3), ("multinomial", 1.0), ("multinomial", 20.0)])
def test_the_intercept_is_found_from_far_away(multi_class, size):
    objective = build(3, multi_class, True, None)
    W = size * somewhere(objective)
    far = objective.at(W, np.array([size, -size, 0.0]))
    near = objective.at(W)
    assert far.dual_feasible
    assert far.value == pytest.approx(near.value, rel=1e-12)


def test_where_the_intercept_is_not_found_nothing_is_claimed():
    objective = build(3, "multinomial", True, None)
    point = objective.at(1e5 * somewhere(objective))
    assert not point.dual_feasible
    assert duality_gap(point, np.ones(4, dtype=bool)) == np.inf


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@cases
def test_value_is_the_objective_as_design_states_it(n_classes, multi_class, fit_intercept, class_weight, l1_ratio):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, l1_ratio=l1_ratio)
    X, y, weights = reference.make_problem(n_classes, n_samples=40)
    point = objective.at(somewhere(objective))
    coef, intercept = objective.lift(point.W, point.b)
    if class_weight is None:
        onehot = reference.onehot_of(y, multi_class == "multinomial")
        expected = reference.objective(X, onehot, weights, coef, intercept, 1.0, l1_ratio, multi_class == "multinomial")
        assert point.value == pytest.approx(float(expected), rel=1e-13)
    W, b = objective.lower(coef, intercept)
    np.testing.assert_allclose(W, point.W, rtol=1e-14)
    np.testing.assert_allclose(b, point.b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@cases
def test_lines(n_classes, multi_class, fit_intercept, class_weight, l1_ratio):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, l1_ratio=l1_ratio)
    point, D = objective.at(somewhere(objective)), somewhere(objective, 1)
    before = objective.n_passes
    line = point.along(D)
    assert objective.n_passes == before + 0.5
    t, U = 0.7, line._U.copy()
    slope = line.slope(t)
    there = line.point(t)
    assert objective.n_passes == before + 0.5
    assert there.value == pytest.approx(objective.at(point.W + t * D).value, rel=1e-12)

    def joint(t):  # the intercept on its tangent, not at its optimum
        Z = point.scores(slice(None)) + t * U
        losses = objective.loss.values(Z, objective.loss.residuals(Z))
        return np.sum(objective.weights * losses) + objective.penalty.value(point.W + t * D)

    assert slope == pytest.approx((joint(t + 1e-6) - joint(t - 1e-6)) / 2e-6, abs=1e-7)
    assert line.slope(0) == pytest.approx((joint(2e-6) - joint(0)) / 2e-6, abs=1e-5)


@pytest.mark.parametrize("begin", ["origin", "elsewhere"])
@cases
def test_a_place_answers_as_before_once_a_line_has_had_its_memory(n_classes, multi_class, fit_intercept, class_weight, begin):
    objective = build(n_classes, multi_class, fit_intercept, class_weight)
    point = objective.origin() if begin == "origin" else objective.at(somewhere(objective))
    columns, D, half = np.array([0, 2]), somewhere(objective, 1), np.array([0.5])

    def answers():
        slope = point.along(D).slope(0.4)
        return point.residuals(slice(None)).copy(), point.hessian(), point.scaled_dual_cost(half), slope, point.value

    expected = answers()
    part = point.restrict(columns, objective.restrict(columns))
    line = point.along(D)
    line.slope(0.3), line.slope(1.0), line.rises(1.0)
    there = line.point(0.7)
    assert point._evaluation.residuals is None
    for found, value in zip(answers(), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(part.residuals(slice(None)), expected[0])
    assert there.value == pytest.approx(objective.at(point.W + 0.7 * D).value, rel=1e-12)


def test_a_weight_for_all_rows_is_one_number():
    _, y, _ = reference.make_problem(2)
    one, many = (_targets.encode(y, w, None, "ovr") for w in (_targets.check_weights(None, len(y)), np.ones(len(y))))
    assert one.weights.strides == (0, 0)
    assert one.loss.signs.nbytes == len(y)
    np.testing.assert_array_equal(one.weights, many.weights)
    with pytest.raises(ValueError, match="read-only"):
        one.weights[0] = 1


@containers
@cases
def test_lipschitz_constant_is_safe_and_tight(n_classes, multi_class, fit_intercept, class_weight, container):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, container, units=lambda objective: objective)
    X, _, _ = reference.make_problem(n_classes, n_samples=40)
    s = objective.row_weight
    centred = X - (s @ X / s.sum() if fit_intercept else 0)
    norm = np.linalg.norm(np.sqrt(s)[:, None] * centred, 2) ** 2
    expected = objective.loss.smoothness * norm + objective.penalty.l2[0]
    assert expected <= objective.lipschitz() <= expected * (1 + 1e-6)
    for seed in range(5):
        largest = max(np.linalg.eigvalsh(block)[-1] for block in objective.at(somewhere(objective, seed)).hessian())
        assert largest <= objective.lipschitz()


def test_lipschitz_constant_of_many_columns_is_safe():
    X = np.random.default_rng(0).standard_normal((120, 300)) @ np.diag(np.geomspace(1, 3, 300))
    targets = _targets.encode(np.arange(120) % 2, np.ones(120), None, "ovr")
    penalty = ElasticNet.from_C(1.0, 0.0, 120, 300)
    objective = Objective(as_design(X), targets.loss, targets.weights, penalty, True)
    expected = 0.25 * np.linalg.norm(X - X.mean(axis=0), 2) ** 2 / 120 + 1 / 120
    assert expected <= objective.lipschitz() <= 1.2 * expected


@containers
@cases
def test_stochastic_gradients_add_up_to_the_gradient(n_classes, multi_class, fit_intercept, class_weight, container):
    objective = build(n_classes, multi_class, fit_intercept, class_weight, container)
    point = objective.at(somewhere(objective))
    rows = np.random.default_rng(0).permutation(40)
    batches = [objective.stochastic_gradient(point.W, point.b, rows[k : k + 8]) for k in range(0, 40, 8)]
    np.testing.assert_allclose(sum(batch[0] for batch in batches) / 5, point.loss_gradient, atol=1e-14)
    np.testing.assert_allclose(sum(batch[1] for batch in batches) / 5, 0, atol=1e-14)


@containers
def test_restriction_is_the_objective_of_some_columns(container):
    objective = build(3, "multinomial", True, "balanced", container)
    columns = np.array([0, 2])
    W = somewhere(objective)
    W[:, [1, 3]] = 0
    point = objective.at(W)
    part = point.restrict(columns, objective.restrict(columns))
    alone = objective.restrict(columns).at(W[:, columns])
    assert part.value == pytest.approx(alone.value, rel=1e-14)
    np.testing.assert_allclose(part.gradient, alone.gradient, atol=1e-14)
    np.testing.assert_allclose(part.hessian(), alone.hessian(), atol=1e-14)


@containers
def test_moments(container):
    X, _, weights = reference.make_problem(2, n_samples=700)
    X = np.column_stack([X + np.array([0, 0, 0, 1e9]), np.full(700, 0.1)])
    weights = weights / weights.sum()
    mean, variance = as_design(container(X)).moments(weights)
    exact = X.astype(np.longdouble)
    true_mean = weights @ exact
    np.testing.assert_allclose(mean, true_mean.astype(float), rtol=1e-14)
    true_variance = (weights @ (exact - true_mean) ** 2).astype(float)
    np.testing.assert_allclose(variance[:3], true_variance[:3], rtol=1e-12)
    np.testing.assert_allclose(variance[3], true_variance[3], rtol=1e-6)
    assert variance[4] < 1e-30


def row_squares(design, centre, scale):
    return np.concatenate([squares for _, squares in design.row_squares(centre, scale)])


@containers
def test_row_squares_and_gram(container):
    X, _, weights = reference.make_problem(2)
    centre, scale = np.array([0.1, 2.0, 0.0, -1.0]), np.array([1.0, 0.5, 2.0, 4.0])
    exact = (X - centre) * scale
    design = as_design(container(X))
    np.testing.assert_allclose(row_squares(design, centre, scale), np.sum(exact**2, axis=1), rtol=1e-11)
    columns = np.column_stack([weights, 1 / weights])
    gram, cross = design.gram(lambda rows: columns[rows], columns.shape[1], centre, scale)
    for k in range(2):
        np.testing.assert_allclose(gram[k], exact.T @ (columns[:, k : k + 1] * exact), rtol=1e-10, atol=1e-8)
        np.testing.assert_allclose(cross[k], columns[:, k] @ exact, rtol=1e-10, atol=1e-8)


def test_penalty_and_its_conjugate():
    rng = np.random.default_rng(0)
    penalty = ElasticNet(np.array([0.0, 0.3, 1.0]), np.array([0.8, 0.6, 0.7]))
    grid = np.linspace(-10, 10, 200_001)
    for u in rng.normal(0, 2, (20, 3)):
        for j in range(3):
            one = penalty.restrict([j])
            values = one.l2 / 2 * grid**2 + one.l1 * np.abs(grid)
            conjugate = np.max(u[j] * grid - values)
            w = rng.normal()
            expected = one.value(np.array([w])) + conjugate - u[j] * w
            assert one.fenchel_gap(np.array([w]), u[j : j + 1])[0] == pytest.approx(expected, abs=1e-7)


def test_what_is_not_felt_has_no_part_in_the_gap():
    rng = np.random.default_rng(0)
    for lasso in (True, False):
        penalty = ElasticNet(np.array([0.0, 0.3, 1.0, 0.5]), np.zeros(4) if lasso else np.array([0.5, 0.2, 0.7, 0.0]))
        w = rng.normal(size=(500, 4)) * rng.integers(0, 2, (500, 4))
        u = rng.normal(size=(500, 4)) * rng.integers(0, 2, (500, 4))
        felt, terms = penalty.felt(w, u), penalty.fenchel_gap(w, u)
        assert (terms[~felt] == 0).all()
        assert (np.abs(u) <= penalty.l1)[~felt].all()  # nothing there for a dual point to be shrunk for
        assert 0 < np.mean(felt) < 1
    assert penalty.felt(np.zeros(4), np.full(4, np.nan)).all()


def test_a_row_that_holds_most_of_the_data_stays_in_one():
    X = sparse.vstack([sparse.random(200, 60_000, density=0.004, random_state=0), np.ones((1, 60_000))], format="csr")
    parts = as_design(X)
    assert [rows for rows, _ in parts._parts] == [slice(0, 201)]
    np.testing.assert_array_equal(parts.dot(np.ones((1, 60_000)))[:, 0], X @ np.ones(60_000))


@pytest.mark.parametrize("cut", [False, True])
def test_long_sparse_data_are_read_in_parts(cut):
    """More than 100,000 stored values: products, sums and columns in runs of rows; what is cut out of them stays in runs."""
    rng = np.random.default_rng(0)
    X = sparse.random(30_000, 44, density=0.1, format="csr", random_state=0)
    whole, parts = (as_design(data).columns(np.arange(40)) if cut else as_design(data[:, :40]) for data in (X.toarray(), X))
    assert len(parts._parts) > 1
    assert len(parts._runs) == (2 if cut else 1)
    W, R, columns = rng.standard_normal((3, 40)), rng.standard_normal((30_000, 3)), np.array([1, 4, 39])
    ones, centre = np.ones(40), np.full(40, 0.05)
    weights = rng.random((30_000, 2))
    with team(parts.size * 3):
        np.testing.assert_allclose(parts.dot(W), whole.dot(W), atol=1e-12)
        np.testing.assert_allclose(parts.tdot(R), whole.tdot(R), atol=1e-9)
        np.testing.assert_allclose(parts.columns(columns).dot(W[:, :3]), whole.columns(columns).dot(W[:, :3]), atol=1e-12)
        np.testing.assert_allclose(parts.moments_tdot(R, centre), whole.moments_tdot(R, centre), atol=1e-9)
        for design in (parts, whole):
            there_and_back = design.there_and_back(W, np.arange(3), lambda rows, scores: weights[rows, :1] * scores)
            np.testing.assert_allclose(there_and_back, whole.tdot(weights[:, :1] * whole.dot(W, np.arange(3))), atol=1e-9)
        for found, expected in zip(
            parts.gram(lambda rows: weights[rows], 2, centre, ones),
            whole.gram(lambda rows: weights[rows], 2, centre, ones),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        for found, expected in zip(parts.moments(weights[:, 0]), whole.moments(weights[:, 0]), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9)
        np.testing.assert_allclose(row_squares(parts, centre, ones), row_squares(whole, centre, ones), rtol=1e-9)
    some = [5, 29_999]
    np.testing.assert_array_equal(parts.rows(some).dot(W), parts.dot(W)[some])
    np.testing.assert_array_equal(
        parts.dense_rows(slice(14_990, 15_010), centre, ones), whole.dense_rows(slice(14_990, 15_010), centre, ones)
    )
