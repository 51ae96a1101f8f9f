"""Gram matrices of sparse rows by the products of pairs of their numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_xent import _design, _pairs
from sklearn_xent._design import as_design
from sklearn_xent._pairs import Pairs, both_sides


def expected(X, weights):
    return np.einsum("ik,ij,il->kjl", weights, X.toarray(), X.toarray())


def ragged(rng, n_rows, n_columns):
    """Rows of all lengths, empty ones too, in no order, with indices in no order."""
    chosen = [rng.permutation(n_columns)[: rng.integers(0, n_columns + 1)] for _ in range(n_rows)]
    ends = np.concatenate([[0], np.cumsum([len(row) for row in chosen])])
    indices = np.concatenate([[], *chosen]).astype(np.int32)
    return sparse.csr_matrix((rng.standard_normal(len(indices)), indices, ends), (n_rows, n_columns))


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 12), st.integers(1, 4), st.sampled_from([1, 7, 2**20]))
def test_pairs_are_the_gram_matrix(seed, n_rows, n_columns, n_weights, block):
    rng = np.random.default_rng(seed)
    X, weights = ragged(rng, n_rows, n_columns), rng.random((n_rows, n_weights))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_pairs, "BLOCK_PAIRS", block)
        monkeypatch.setattr(_pairs, "MOST_SUMS", block)
        found = both_sides(Pairs(X).gram(weights))
    np.testing.assert_allclose(found, expected(X, weights), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found, np.swapaxes(found, 1, 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_any_type_of_number_and_index(dtype, index):
    rng = np.random.default_rng(0)
    X, weights = ragged(rng, 20, 6), rng.random((20, 2))
    other = X.astype(dtype)
    other.indices, other.indptr = X.indices.astype(index), X.indptr.astype(index)
    np.testing.assert_allclose(both_sides(Pairs(other).gram(weights)), expected(other.astype(float), weights), rtol=1e-12)


@pytest.mark.parametrize("most", [0, 2**22])
def test_pairs_are_kept_where_they_are_few(monkeypatch, most):
    """The next Gram matrix makes them anew only where keeping them would take much memory; it is the same."""
    made = []
    products = _pairs._products
    monkeypatch.setattr(_pairs, "_products", lambda X, rows: made.append(len(rows)) or products(X, rows))
    monkeypatch.setattr(_pairs, "MOST_KEPT", most)
    rng = np.random.default_rng(0)
    X, weights = ragged(rng, 50, 8), rng.random((50, 1))
    pairs = Pairs(X)
    first, second = pairs.gram(weights), pairs.gram(2 * weights)
    np.testing.assert_array_equal(2 * first, second)
    assert sum(made) == (50 if most else 100)


def test_rows_that_are_nearly_full_are_multiplied_as_dense_ones(monkeypatch):
    monkeypatch.setattr(_design, "Pairs", None)  # not asked for
    weights, centre, scale = np.random.default_rng(0).random((400, 2)), np.ones(12), np.ones(12)
    X, emptier = (sparse.random(400, 12, density, "csr", random_state=0) for density in (0.3, 0.1))
    gram, cross = as_design(X).gram(lambda rows: weights[rows], 2, centre, scale)
    dense = X.toarray() - 1
    np.testing.assert_allclose(gram, np.einsum("ik,ij,il->kjl", weights, dense, dense), rtol=1e-12)
    np.testing.assert_allclose(cross, weights.T @ dense, rtol=1e-12)
    with pytest.raises(TypeError):
        as_design(emptier).gram(lambda rows: weights[rows], 2, centre, scale)


def test_more_places_than_a_short_index_holds():
    """A Gram matrix of 50,000 columns has more entries than 32 bits count; its pairs know where they belong."""
    X = sparse.csr_matrix((np.array([2.0, 3.0]), np.array([7, 49_999]), np.array([0, 2])), (1, 50_000))
    products = _pairs._products(X, np.array([0]))
    assert dict(zip(products.indices.tolist(), products.data.tolist(), strict=True)) == {
        7 * 50_000 + 7: 4.0,
        7 * 50_000 + 49_999: 6.0,
        49_999 * 50_000 + 49_999: 9.0,
    }
