"""Gram matrices of sparse rows, which are linear in the weights of the rows.

The entries of ``sum_i w_i x_i x_iᵀ`` are those of ``w @ P``, where P holds for each row of X the products of all pairs of its
stored numbers: once P is there, a Gram matrix costs one sparse product. Even where P serves one product only, that takes a
quarter to nine tenths of the time of ``(w X).T @ X`` as sparse matrices, which looks for the place of every number.
"""

from itertools import pairwise

import numpy as np
from scipy import sparse

from sklearn_xent._linalg import added_up

BLOCK_PAIRS = 2**20  # made at a time: a dozen megabytes
MOST_KEPT = 2**22  # fifty megabytes, of each run of rows
MOST_SUMS = 2**20  # numbers: Gram matrices of so many weights are summed up at a time, or the sums leave the cache


class Pairs:
    """The pairs in all rows of a CSR matrix; kept for the next Gram matrices where they are not many.

    Parameters
    ----------
    X : csr_matrix of shape (n_samples, n_features)
        Without duplicates.
    """

    def __init__(self, X):
        self.X, self._kept = X, None

    def gram(self, weights):
        """Gram matrices for weights (n_samples, n_weights), shape (n_weights, n_features, n_features).

        Each pair's products are on one side of the diagonal, on any; see `both_sides`.
        """
        n_features, n_weights = self.X.shape[1], weights.shape[1]
        step = max(1, MOST_SUMS // max(n_features**2, 1))
        groups = [slice(start, start + step) for start in range(0, n_weights, step)]

        def sums(rows, products):
            parts = [(products.T @ weights[rows, some]).T for some in groups]
            return np.ascontiguousarray(parts[0]) if len(parts) == 1 else np.concatenate(parts)

        return added_up(sums(*block) for block in self._blocks()).reshape(n_weights, n_features, n_features)

    def _blocks(self):
        """Indices of rows, shorter rows first, and the products of their pairs, for blocks of rows."""
        if self._kept is not None:
            return self._kept
        stored = np.diff(self.X.indptr)
        order = np.argsort(stored.astype(np.min_scalar_type(stored.max(initial=0))), kind="stable")
        ends = np.cumsum(_n_pairs(stored[order]))
        n_pairs = ends[-1] if len(ends) else 0
        most = max(BLOCK_PAIRS, self.X.shape[1] ** 2)  # or sums of the blocks' Gram matrices would cost more than these
        cuts = [0, *np.searchsorted(ends, np.arange(most, n_pairs, most)), len(order)]
        blocks = ((order[start:stop], _products(self.X, order[start:stop])) for start, stop in pairwise(cuts))
        if n_pairs <= MOST_KEPT:
            self._kept = blocks = list(blocks)
        return blocks


def both_sides(gram):
    """Symmetric matrices from sums of which each is on one side of the diagonal."""
    whole = gram + np.swapaxes(gram, 1, 2)
    np.einsum("kjj->kj", whole)[:] = np.einsum("kjj->kj", gram)
    return whole


def _n_pairs(stored):
    return stored.astype(np.int64) * (stored + 1) // 2


def _products(X, rows):
    """Products of all pairs of the numbers that some rows store, at their places in a Gram matrix: (n_rows, n_features²).

    Rows of one length, which are neighbours here, are a rectangle of numbers.
    """
    n_features, first, stored = X.shape[1], X.indptr[rows], np.diff(X.indptr)[rows]
    index = np.promote_types(np.int32, np.min_scalar_type(-(n_features**2) - 1))
    ends = np.concatenate([[0], np.cumsum(_n_pairs(stored))]).astype(index)
    places, values = np.empty(ends[-1], dtype=index), np.empty(ends[-1])
    for length in np.flatnonzero(np.bincount(stored)):
        start, stop = np.searchsorted(stored, [length, length + 1])
        at = first[start:stop, None] + np.arange(length)
        columns, numbers = X.indices.take(at, mode="clip").astype(index), X.data.take(at, mode="clip").astype(float)
        pairs, room = np.triu_indices(length), slice(ends[start], ends[stop])
        _of_pairs(np.add, columns * index.type(n_features), columns, pairs, out=places[room])
        _of_pairs(np.multiply, numbers, numbers, pairs, out=values[room])
    return sparse.csr_matrix((values, places, ends), (len(rows), n_features**2))


def _of_pairs(function, A, B, pairs, out):
    """Write ``function(A[:, pairs[0]], B[:, pairs[1]])`` into `out`, row by row."""
    out = out.reshape(len(A), -1)
    np.take(A, pairs[0], axis=1, out=out, mode="clip")  # nothing is out of bounds: to `clip` needs no buffer
    function(out, B.take(pairs[1], axis=1, mode="clip"), out=out)
