"""Memory and threads: what a fit takes beside the data, and whose threads it uses."""

import tracemalloc

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._design import as_design
from sklearn_xent._threads import _threads, team
from sklearn_xent.solvers import compact_newton

pytestmark = pytest.mark.usefixtures("two_threads")

TALL, THIN = (100_000, 100), (1_000_000, 20)


def tall(dtype, order, n_rows, n_features):
    rng = np.random.default_rng(0)
    X = np.empty((n_rows, n_features), dtype=dtype, order=order)
    for start in range(0, n_rows, 10_000):
        X[start : start + 10_000] = rng.standard_normal((10_000, n_features))
    scores = X @ (0.1 * rng.standard_normal(n_features)).astype(dtype)
    return X, (scores + rng.logistic(size=n_rows) > 0).astype(int)


@pytest.mark.parametrize("params", [{}, {"C": 1e-3, "l1_ratio": 1.0}], ids=["ridge", "lasso"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("dtype", "shape", "share"),
    [(np.float64, TALL, 0.25), (np.float64, THIN, 0.25), (np.float32, TALL, 0.25), (np.float32, THIN, 0.5)],
    ids=["double, tall", "double, thin", "single, tall", "single, thin"],
)
def test_a_fit_adds_a_quarter_of_the_data_at_most(dtype, share, order, shape, params):
    """Two classes, equal weights: a row takes four float64, 40% of 20 columns in single precision; a copy would be 200%."""
    X, y = tall(dtype, order, *shape)
    CrossEntropyClassifier(**params).fit(X[:1000], y[:1000])  # what is imported and cached once does not count
    tracemalloc.start()
    fit = CrossEntropyClassifier(**params).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.status_ == "converged"
    assert peak <= share * X.nbytes


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_copy_of_few_columns_is_no_more_than_a_quarter_of_the_data(dtype, order):
    X, _ = tall(dtype, order, 80_000, 150)
    y = (X[:, :12].sum(axis=1) + np.random.default_rng(0).logistic(size=80_000) > 0).astype(int)
    fit = CrossEntropyClassifier(C=2e-4, l1_ratio=1.0)
    fit.fit(X[:1000], y[:1000])
    tracemalloc.start()
    fit.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.solver_ == "subsampled-newton"
    assert fit.n_passes_ < 2.5  # two iterations in a copy; with all columns they would be four
    assert np.count_nonzero(fit.coef_) == 12
    assert peak <= 0.25 * X.nbytes


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_single_precision_data_reach_the_double_precision_optimum(l1_ratio):
    X, y = tall(np.float32, "C", 20_000, 20)
    params = {"C": 0.01, "l1_ratio": l1_ratio}
    single, double = (CrossEntropyClassifier(**params).fit(data, y) for data in (X, X.astype(float)))
    assert single.history_["objective"][-1] == pytest.approx(double.history_["objective"][-1], rel=1e-6)


def size_of_team():
    with team(10**9):
        return _threads.get()[1]


def test_threads_follow_threadpoolctl_and_joblib():
    with threadpool_limits(1):
        assert size_of_team() == 1
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(size_of_team)() for _ in range(2)) == [1, 1]
    with team(10**9):
        assert size_of_team() == _threads.get()[1] == 2  # a team within a team is that team


@pytest.mark.parametrize(("work", "order", "limited"), [(10**5, 1, True), (10**4, 128, True), (10**4, 127, False)])
def test_blas_is_held_to_one_thread_where_products_or_factors_would_take_more(work, order, limited):
    with team(work, order):
        threads = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    assert threads == ({1} if limited else {2})


def test_few_rows_of_many_columns_are_fitted_with_blas_held_to_one_thread(monkeypatch):
    # Left alone, the pools of NumPy's and SciPy's BLAS wait for each other: 70 milliseconds where 2 are enough.
    seen, factors = set(), compact_newton._Place.factors

    def watched(place):
        seen.update(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return factors(place)

    monkeypatch.setattr(compact_newton._Place, "factors", watched)
    CrossEntropyClassifier().fit(np.random.default_rng(0).standard_normal((120, 130)), np.arange(120) % 2)
    assert seen == {1}


@pytest.mark.parametrize("product", ["tdot", "moments_tdot"])
def test_products_of_blocks_are_added_up_as_they_come(product):
    X, R = np.ones((400, 20_000), dtype=np.float32), np.ones((400, 20))
    question = {"tdot": (R,), "moments_tdot": (R, np.zeros(20_000))}[product]
    tracemalloc.start()
    getattr(as_design(X), product)(*question)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= X.nbytes


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_sparse_data_are_not_copied_where_they_are_a_part_of_others(kind):
    """SciPy's constructors copy arrays that are less than half of what they lie in, and a transpose is constructed."""
    X = sparse.random(20_000, 500, density=0.03, format=kind, random_state=0)
    for name in ("data", "indices"):
        setattr(X, name, np.tile(getattr(X, name), 3)[: X.nnz])
    W, R = np.ones((1, 500)), np.ones((20_000, 1))
    tracemalloc.start()
    design = as_design(X)
    scores, sums = design.dot(W), design.tdot(R)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scores.sum() == pytest.approx(X.sum())
    assert sums.sum() == pytest.approx(X.sum())
    assert peak <= X.data.nbytes / 4


def threads_of_a_fit(*_):
    """Score that says how many threads a fit takes where it is called."""
    with team(10**9):
        return float(_threads.get()[1])


def test_a_grid_search_shares_the_processors_out():
    X, y = np.random.default_rng(0).standard_normal((60, 2)), np.arange(60) % 2
    search = GridSearchCV(CrossEntropyClassifier(), {"C": [0.1, 1.0]}, cv=2, n_jobs=2, scoring=threads_of_a_fit, refit=False)
    shares = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(shares, max(1, joblib.cpu_count() // 2))
