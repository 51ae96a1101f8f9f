"""Properties of any fit: what may not matter does not matter."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_xent import CrossEntropyClassifier, _design, _objective, _threads
from sklearn_xent._threads import row_blocks
from sklearn_xent.solvers import SOLVERS

EXACT = [name for name in SOLVERS if name not in {"gd", "sgd"}]
problems = st.fixed_dictionaries(
    {
        "n_classes": st.integers(2, 4),
        "n_samples": st.integers(8, 60),
        "n_features": st.integers(2, 6),
        "seed": st.integers(0, 10_000),
    }
)
parameters = st.fixed_dictionaries(
    {
        "C": st.sampled_from([1e-3, 0.1, 1.0, 30.0]),
        "l1_ratio": st.sampled_from([0.0, 0.4, 1.0]),
        "multi_class": st.sampled_from(["ovr", "multinomial"]),
        "fit_intercept": st.booleans(),
        "class_weight": st.sampled_from([None, "balanced"]),
    }
)
#: The face of a lasso softmax is flat along a common shift, which rounding must not take for a way down.
A_FLAT_FACE = {"C": 30.0, "l1_ratio": 1.0, "multi_class": "multinomial", "fit_intercept": True, "class_weight": None}
COUNTED = Counter()  # see conftest
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def fit(X, y, weights, params, **more):
    COUNTED["random fits compared for what may not matter"] += 1
    return CrossEntropyClassifier(**params, **({"tol": 1e-12} | more)).fit(X, y, weights)


def alike(one, other, X, Y=None):
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X if Y is None else Y), atol=2e-5)


@quick
@given(problems, parameters, st.sampled_from(EXACT))
def test_every_solver_converges_and_agrees(problem, params, solver):
    X, y, weights = reference.make_problem(**problem)
    found = fit(X, y, weights, params, solver=solver, tol=1e-11, max_iter=20_000)
    assert found.status_ == "converged"
    alike(found, fit(X, y, weights, params, solver="newton"), X)


@quick
@given(problems, parameters, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(problem, params, random):
    X, y, weights = reference.make_problem(**problem)
    rows, columns = list(range(len(y))), list(range(X.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = fit(X[np.ix_(rows, columns)], y[rows], weights[rows], params)
    alike(fit(X, y, weights, params), shuffled, X, X[:, columns])


@quick
@given(problems, parameters, st.integers(0, 5))
def test_a_weight_is_a_repetition_and_zero_an_absence(problem, params, seed):
    X, y, _ = reference.make_problem(**problem)
    times = np.random.default_rng(seed).integers(0, 3, len(y))
    times[: problem["n_classes"]] = 1
    alike(fit(X, y, times, params), fit(np.repeat(X, times, axis=0), np.repeat(y, times), None, params), X)


@quick
@given(problems, parameters)
@example({"n_classes": 4, "n_samples": 18, "n_features": 2, "seed": 6816}, A_FLAT_FACE)
def test_dense_is_sparse_and_single_is_double(problem, params):
    X, y, weights = reference.make_problem(**problem)
    X = np.where(np.abs(X) < 0.5, 0, X).astype(np.float32)
    dense = fit(X.astype(float), y, weights, params)
    alike(dense, fit(X, y, weights, params), X)
    alike(dense, fit(sparse.csc_array(X), y, weights, params), X)


@quick
@given(problems, st.sampled_from(["ovr", "multinomial"]), st.lists(st.integers(-30, 30), min_size=6, max_size=6))
def test_without_penalty_scaling_a_column_scales_its_coefficient(problem, multi_class, exponents):
    X, y, weights = reference.make_problem(**(problem | {"n_samples": 400}))
    scale = 2.0 ** np.array(exponents[: X.shape[1]])
    params = {"C": np.inf, "multi_class": multi_class}
    plain, scaled = (fit(data, y, weights, params, tol=1e-10) for data in (X, X * scale))
    np.testing.assert_allclose(scaled.coef_ * scale, plain.coef_, rtol=1e-4, atol=1e-5)


@quick
@given(problems, parameters, st.integers(1, 3), st.integers(16, 400))
def test_neither_the_size_of_blocks_nor_the_number_of_threads_matters(problem, params, n_threads, elements):
    X, y, weights = reference.make_problem(**problem)
    plain = fit(X, y, weights, params)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(n_threads) as pool:
        for module in (_design, _objective):
            patch.setattr(module, "row_blocks", lambda n_rows, width, _=None: row_blocks(n_rows, width, elements))
        patch.setattr(_threads, "WORTH_THREADS", 0)
        token = _threads._threads.set((pool, n_threads))
        cut = fit(X, y, weights, params)
        _threads._threads.reset(token)
    np.testing.assert_allclose(cut.history_["objective"][-1], plain.history_["objective"][-1], rtol=1e-11)
    alike(plain, cut, X)


@quick
@given(problems, parameters, st.integers(0, 100))
def test_the_gap_bounds_the_distance_wherever_it_stops(problem, params, seed):
    X, y, weights = reference.make_problem(**problem)
    loose = fit(X, y, weights, params, tol=10.0 ** -(seed % 8))
    best = fit(X, y, weights, params)
    excess = loose.history_["objective"][-1] - best.history_["objective"][-1]
    assert excess <= loose.optimality_gap_ + 1e-14


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_row_blocks_cover_every_row_once(n_rows, width):
    blocks = row_blocks(n_rows, max(width, n_rows // 1000))
    assert blocks[0].start == 0
    assert blocks[-1].stop == n_rows
    assert all(one.stop == two.start for one, two in pairwise(blocks))
