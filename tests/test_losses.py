"""Losses from scores: against extended precision and finite differences, at every finite score."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_xent import losses
from sklearn_xent._losses import Logistic, Softmax, shrinking_bound

LD = np.longdouble
SCORES = np.array([-10_000.0, -800.0, -40.0, -3.0, -1e-9, 0.0, 1e-300, 0.5, 3.0, 40.0, 800.0, 10_000.0])
scores = arrays(float, st.integers(1, 8), elements=st.floats(-1e4, 1e4))
logits = st.integers(2, 5).flatmap(lambda k: arrays(float, (3, k), elements=st.floats(-1e4, 1e4)))


def exact_logistic(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(LD(z)))), np.exp(-np.abs(LD(z))) / (1 + np.exp(-np.abs(LD(z)))))


def exact_cross_entropy(z, t):
    def softplus(x):
        return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)

    return LD(t) * softplus(-LD(z)) + (1 - LD(t)) * softplus(LD(z))


@pytest.mark.parametrize("t", [0, 1, 0.3])
def test_logistic_cross_entropy_to_the_last_digits(t):
    found = losses.logistic_cross_entropy(SCORES, t)
    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(found, exact_cross_entropy(SCORES, t).astype(float), rtol=1e-15, atol=0)


def test_logistic_and_its_derivative():
    with np.errstate(under="ignore"):
        p = exact_logistic(SCORES)
        np.testing.assert_allclose(losses.logistic(SCORES), p.astype(float), rtol=1e-14)
        derivative = p * exact_logistic(-SCORES)
        np.testing.assert_allclose(losses.logistic_derivative(SCORES), derivative.astype(float), rtol=1e-14)
        np.testing.assert_allclose(losses.logistic_cross_entropy_curvature(SCORES), derivative.astype(float), rtol=1e-14)
    np.testing.assert_allclose(losses.log_logistic(SCORES), -losses.logistic_cross_entropy(SCORES, 1), rtol=1e-15)


@given(scores, st.sampled_from([0.0, 0.25, 1.0]))
def test_logistic_gradient_is_probability_minus_target(z, t):
    expected = (1 - LD(t)) * exact_logistic(z) - LD(t) * exact_logistic(-z)
    np.testing.assert_allclose(losses.logistic_cross_entropy_gradient(z, t), expected.astype(float), rtol=1e-12, atol=1e-300)


@given(logits, st.integers(0, 1))
@example(np.array([[1477.0, 0.0, 2207.0, 2207.0]]), 0)
def test_softmax_is_finite_and_consistent(z, label):
    y = np.full(len(z), label)
    p = losses.softmax(z)
    rows = np.vstack([z, z[:, ::-1]])  # each by itself
    subnormal = 2 * np.finfo(float).smallest_subnormal  # where numbers are that far apart, whatever their size
    np.testing.assert_allclose(np.exp(losses.log_softmax(rows)), losses.softmax(rows), rtol=1e-13, atol=subnormal)
    assert np.isfinite(losses.log_softmax(rows)).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    loss = losses.softmax_cross_entropy(z, y)
    assert np.all(np.isfinite(loss))
    assert np.all(loss >= 0)
    top = LD(z).max(axis=1)
    exact = np.log(np.exp(LD(z) - top[:, None]).sum(axis=1)) + top - LD(z)[:, label]
    np.testing.assert_allclose(loss, exact.astype(float), rtol=1e-12, atol=1e-14)
    gradient = losses.softmax_cross_entropy_gradient(z, y)
    np.testing.assert_allclose(gradient, p - np.eye(z.shape[1])[y], atol=1e-15)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


def test_two_class_softmax_is_logistic():
    z = np.column_stack([np.zeros(len(SCORES)), SCORES])
    ones = np.ones(len(SCORES), dtype=int)
    np.testing.assert_allclose(losses.softmax_cross_entropy(z, ones), losses.logistic_cross_entropy(SCORES, 1), rtol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_derivatives_by_finite_differences(seed):
    rng = np.random.default_rng(seed)
    z, h = rng.normal(0, 3, (4, 3)), 1e-5
    y, t = rng.integers(0, 3, 4), rng.uniform(0, 1, (4, 3))
    difference = (losses.logistic_cross_entropy(z + h, t) - losses.logistic_cross_entropy(z - h, t)) / (2 * h)
    np.testing.assert_allclose(losses.logistic_cross_entropy_gradient(z, t), difference, atol=1e-9)
    bend = (losses.logistic_cross_entropy_gradient(z + h, t) - losses.logistic_cross_entropy_gradient(z - h, t)) / (2 * h)
    np.testing.assert_allclose(losses.logistic_cross_entropy_curvature(z), bend, atol=1e-9)
    for k, e in enumerate(h * np.eye(3)):
        slope = (losses.softmax_cross_entropy(z + e, y) - losses.softmax_cross_entropy(z - e, y)) / (2 * h)
        np.testing.assert_allclose(losses.softmax_cross_entropy_gradient(z, y)[:, k], slope, atol=1e-9)
        bend = (losses.softmax_cross_entropy_gradient(z + e, y) - losses.softmax_cross_entropy_gradient(z - e, y)) / (2 * h)
        np.testing.assert_allclose(losses.softmax_cross_entropy_curvature(z)[:, k], bend, atol=1e-9)


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_loss_objects_agree_with_the_functions(kind):
    rng = np.random.default_rng(0)
    z, y = np.vstack([rng.normal(0, 5, (50, 3)), np.diag([1e4] * 3), np.diag([-1e4] * 3)]), rng.integers(0, 3, 56)
    weights = rng.uniform(0, 1, (56, 1))
    if kind == "softmax":
        loss = Softmax(y, 3)
        values, gradients = losses.softmax_cross_entropy(z, y)[:, None], losses.softmax_cross_entropy_gradient(z, y)
        curvatures = losses.softmax_cross_entropy_curvature(z)
    else:
        t = np.eye(3)[y]
        loss = Logistic(np.where(t == 1, -1, 1).astype(np.int8))
        values, gradients = losses.logistic_cross_entropy(z, t), losses.logistic_cross_entropy_gradient(z, t)
        curvatures = losses.logistic_derivative(z)[:, :, None] * np.eye(3)
    residuals = loss.residuals(z)
    found = loss.values(z, residuals)
    np.testing.assert_allclose(found, values, rtol=1e-14)
    np.testing.assert_allclose(residuals, gradients, rtol=1e-13, atol=1e-300)
    curvature, u = loss.curvature(weights, residuals), rng.standard_normal((56, 3))
    dense = weights[:, :, None] * curvatures
    np.testing.assert_allclose(curvature.apply(u), np.einsum("ijk,ik->ij", dense, u), atol=1e-14)
    np.testing.assert_allclose(curvature.diagonal(), np.einsum("ijj->ij", dense), atol=1e-15)
    eigenvalues = np.linalg.eigvalsh(curvatures)
    assert eigenvalues.max() <= loss.smoothness + 1e-12
    direction = np.array([1.0, -0.3, -0.7])  # orthogonal to a common shift, which softmax pins
    found = loss.total_curvature(loss.total(weights, residuals)).solve(dense.sum(axis=0) @ direction)
    np.testing.assert_allclose(found, direction, atol=1e-12)
    blocks = loss.by_block(curvature.entries().T.copy())
    assert blocks.shape == ((1, 3, 3, 56) if kind == "softmax" else (3, 1, 1, 56))
    whole = blocks[0] if kind == "softmax" else np.eye(3)[:, :, None] * blocks[:, 0]
    np.testing.assert_allclose(whole, np.moveaxis(dense, 0, -1), atol=1e-15)


def loss_of(n_outputs, labels):
    if n_outputs > 1:
        return Softmax(labels % n_outputs, n_outputs)
    return Logistic(np.where(labels % 2 == 1, -1, 1).astype(np.int8)[:, None])


@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@given(
    seed=st.integers(0, 2**32 - 1), size=st.sampled_from([0.0, 1e-12, 1e-3, 0.5]), spread=st.sampled_from([1.0, 30.0, 300.0])
)
def test_residuals_follow_a_shift_of_all_scores(n_outputs, seed, size, spread):
    """Like those made of the shifted scores, also after several shifts; differences of scores round."""
    rng = np.random.default_rng(seed)
    z, shifts = spread * rng.uniform(-1, 1, (40, n_outputs)), size * rng.uniform(-1, 1, (3, n_outputs))
    loss = loss_of(n_outputs, rng.integers(0, 10, 40))
    found = np.asfortranarray(loss.residuals(z))
    for shift in shifts:
        assert loss.shifted(found, shift) is found
    moved = LD(z) + LD(shifts).sum(axis=0)
    if n_outputs == 1:
        expected = loss.signs * exact_logistic(loss.signs * moved)
    else:
        p = np.exp(moved - moved.max(axis=1)[:, None])
        expected = p / p.sum(axis=1)[:, None]
        expected[loss.member] = 0
        expected[loss.member] = -expected.sum(axis=1)
    rounding = 2e-14 if n_outputs == 1 else 2e-14 + spread * np.finfo(float).eps
    np.testing.assert_allclose(found, expected.astype(float), rtol=rounding, atol=1e-300)


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(1, 50), spread=st.sampled_from([0.0, 1e-3, 3.0, 1e3]))
def test_a_weighted_sum_of_losses_is_that_of_each(n_outputs, equal, seed, n_rows, spread):
    """Also where all are near zero, and where all are as far from it as a logarithm of their product bears."""
    rng = np.random.default_rng(seed)
    z, weights = spread * rng.standard_normal((n_rows, n_outputs)), rng.random((1, 1) if equal else (n_rows, 1))
    loss, weights = loss_of(n_outputs, rng.integers(0, 10, n_rows)), np.broadcast_to(weights, (n_rows, 1))
    for offset in (0.0, 40.0):  # of the score of the true class
        own = -loss.signs if n_outputs == 1 else loss.member
        scores = z + offset * own
        if n_outputs == 1:
            exact = exact_cross_entropy(scores, (1 - loss.signs) / 2)
        else:
            odds = LD(scores) - LD(scores)[loss.member][:, None]
            exact = np.logaddexp.reduce(odds, axis=1, keepdims=True)
            small = odds.max(axis=1) < 1
            others = np.where(loss.member, 0, np.exp(np.minimum(odds, 1)))
            exact[small, 0] = np.log1p(others[small].sum(axis=1))
        found = loss.value(weights, scores, loss.residuals(scores))
        np.testing.assert_allclose(found, float(np.sum(weights * exact)), rtol=1e-13, atol=1e-300)


def test_softmax_curvature_where_a_probability_rounds_to_one():
    """``p (1 - p)`` would be zero there beside entries that are not: an indefinite matrix."""
    z = np.array([[50.0, 3.0, 0.0]])
    loss = Softmax(np.array([0]), 3)
    found = loss.by_block(loss.curvature(np.ones((1, 1)), loss.residuals(z)).entries().T)[0, :, :, 0]
    small = np.exp(z[0, 1:] - 50)
    expected = np.array([[small.sum(), -small[0], -small[1]], [-small[0], small[0], 0.0], [-small[1], 0.0, small[1]]])
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-40)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.logistic_cross_entropy(0.0, 2), "between 0 and 1"),
        (lambda: losses.logistic_cross_entropy_gradient(0.0, -1), "between 0 and 1"),
        (lambda: losses.softmax_cross_entropy([0.0, 1.0], [0]), "shape"),
        (lambda: losses.softmax_cross_entropy([[0.0, 1.0]], [2]), "from 0 to 1"),
        (lambda: losses.softmax_cross_entropy([[0.0, 1.0]], [0.5]), "integers"),
        (lambda: losses.softmax_cross_entropy_gradient([[0.0, 1.0]], [0, 1]), "one label a row"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("size", [1e-9, 1e-2, 1.0])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_divergence_is_that_of_the_probabilities(n_classes, size):
    rng = np.random.default_rng(0)
    if n_classes == 2:
        labels, z = rng.integers(0, 2, 200), 3 * rng.standard_normal((200, 1))
        loss = Logistic(np.where(labels == 1, -1, 1).astype(np.int8)[:, None])
        p1 = exact_logistic(z)
        p, shift = np.hstack([1 - p1, p1]), size * (rng.random((200, 1)) - 0.5)
        change = np.hstack([-shift, shift])
    else:
        labels, z = rng.integers(0, n_classes, 200), 3 * rng.standard_normal((200, n_classes))
        loss = Softmax(labels, n_classes)
        p = np.exp(LD(z)) / np.exp(LD(z)).sum(axis=1, keepdims=True)
        shift = size * rng.standard_normal((200, n_classes)) * p.min(axis=1, keepdims=True).astype(float)
        shift -= shift.mean(axis=1, keepdims=True)
        change = shift
    found, possible = loss.divergence(loss.residuals(z), shift)[:, 0], (p + change).min(axis=1) > 0
    assert np.all(np.isinf(found[~possible]))
    assert possible.sum() > 20
    p, change = p[possible], LD(change[possible])
    expected = np.sum((p + change) * np.log1p(change / p), axis=1)
    np.testing.assert_allclose(found[possible], expected.astype(float), rtol=1e-9, atol=1e-15 * size)
    assert np.all(loss.divergence(loss.residuals(z), 0 * shift) == 0)


@pytest.mark.parametrize("theta", [0.0, 1e-300, 1e-9, 0.3, 0.999, 1 - 1e-9, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_cost_of_shrinking_is_bounded_by_little_more_than_it_is(n_classes, theta):
    """By itself where the wrong classes are almost sure, also where their probability rounds to one, or to nothing."""
    z = np.concatenate([np.linspace(-45, 45, 181), [-800.0, 800.0]])
    loss = Logistic(np.full((len(z), 1), 1, dtype=np.int8)) if n_classes == 2 else Softmax(np.zeros(len(z), dtype=int), 3)
    Z = z[:, None] if n_classes == 2 else np.column_stack([0 * z, z, z - np.log(2)])
    shift = 0.0 if n_classes == 2 else np.log(1.5)
    q, right = exact_logistic(z + shift), exact_logistic(-z - shift)
    values = loss.values(Z, loss.residuals(Z))

    def bound(rows, weights):
        wrong = loss.wrong(loss.residuals(Z))[rows]
        return shrinking_bound(weights, wrong, np.array([theta]), lambda far: values[rows][far])[0]

    found = np.array([bound([k], np.ones((1, 1))) for k in range(len(z))])
    with np.errstate(divide="ignore"):
        grown = np.logaddexp(np.log(LD(theta)), np.log(1 - LD(theta)) - np.log(right))
    exact = np.maximum((theta * q * np.log(LD(theta)) if theta > 0 else 0) + (1 - theta * q) * grown, 0)
    tight = np.where(q > 0.9, 1, 1 + 2.7 * (1 - theta))  # the third derivative at theta = 1, for q = 0.9
    assert np.all(found >= exact.astype(float) * (1 - 1e-9) - 3e-15)
    assert np.all(found <= exact.astype(float) * tight * (1 + 1e-9) + 3e-15)
    weights = np.random.default_rng(0).random((len(z), 1))
    assert bound(slice(None), weights) == pytest.approx(weights[:, 0] @ found, rel=1e-12)


@pytest.mark.parametrize("l1", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("l2", [0.0, 0.1, 5.0])
@given(W=arrays(float, st.tuples(st.integers(2, 6), st.just(3)), elements=st.floats(-3, 3)))
def test_the_lightest_coefficients_have_the_least_penalty_of_all_that_give_the_same_loss(W, l1, l2):
    def penalty(coefficients):
        return np.sum(l1 * np.abs(coefficients) + l2 / 2 * np.square(coefficients), axis=-2)

    loss, strengths = Softmax(np.zeros(1, dtype=int), len(W)), (np.full(3, l1), np.full(3, l2))
    found = loss.lightest(W, *strengths)
    np.testing.assert_allclose(found - found[0], W - W[0], atol=1e-12)  # of all classes the same was taken
    others = W - np.linspace(-15, 15, 3001)[:, None, None]
    assert np.all(penalty(found) <= penalty(others).min(axis=0) + 1e-12)
    np.testing.assert_allclose(loss.lightest(found, *strengths), found, atol=1e-12)
