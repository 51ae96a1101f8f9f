"""SciPy's sparse matrices of arrays as they lie: its constructors copy what is less than half of a larger array.

A half of the rows often is, and so are data that were cut out of others; a transpose and a square are constructed each time.
"""

from itertools import pairwise

import numpy as np
from scipy import sparse


def transposed(X):
    """Return ``X.T`` of a CSR or CSC matrix."""
    kind = sparse.csc_matrix if X.format == "csr" else sparse.csr_matrix
    return _made_of(kind, X.shape[::-1], X.data, X.indices, X.indptr)


def squared(X):
    """Return the squares of a matrix's entries."""
    return _made_of(type(X), X.shape, np.square(X.data, dtype=np.float64), X.indices, X.indptr)


def cut(X, n_runs):
    """Runs of rows of a CSR matrix with about as many stored values each, in its memory."""
    bounds = np.unique([0, *np.searchsorted(X.indptr, np.linspace(0, X.size, n_runs + 1)[1:-1]), X.shape[0]])
    return [_run_of_rows(X, start, stop) for start, stop in pairwise(bounds.tolist())]


def _run_of_rows(X, start, stop):
    first, last = X.indptr[start], X.indptr[stop]
    parts = X.data[first:last], X.indices[first:last], X.indptr[start : stop + 1] - first
    return _made_of(sparse.csr_matrix, (stop - start, X.shape[1]), *parts)


def _made_of(kind, shape, data, indices, indptr):
    X = kind(shape, dtype=data.dtype)
    X.data, X.indices, X.indptr = data, indices, indptr
    return X
