"""Homes of the data matrix: what a solver may ask of X, answered for dense and sparse storage.

Products, Gram matrices and moments are sums over rows, so that they need neither random access nor a second copy of X; `rows`
(stochastic gradients) and `columns` (working sets) copy what they take. `Meter` counts how often the data was
read: one `dot` and one `tdot` make a pass.
"""

from functools import cached_property

import numpy as np
from scipy import sparse

from sklearn_xent._threads import in_threads

BLOCK_ELEMENTS = 2**16  # half a MiB of float64: a block and what is made of it stay in a level-2 cache


class Meter:
    """Counts passes over the data: one pass is ``X @ d`` and then ``X.T @ r``."""

    def __init__(self):
        self.passes = 0.0

    def read(self, share=1.0):
        """Record that a share of the data was read once."""
        self.passes += share / 2


def row_blocks(n_rows, width):
    """Slices of consecutive rows of `width` numbers, each of about `BLOCK_ELEMENTS` numbers."""
    step = max(256, BLOCK_ELEMENTS // max(width, 1))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


class Design:
    """What dense and sparse homes share: shape, meter, and the moments.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        The data; never modified.
    meter : Meter
        Shared with every part taken from this design.
    share : float
        The part of the whole data that this design holds.
    """

    def __init__(self, X, meter=None, share=1.0):
        self.X, self.share = X, share
        self.shape, self.size = X.shape, X.size  # SciPy counts stored values only
        self.meter = Meter() if meter is None else meter

    def rows(self, rows):
        """Some rows, as a design."""
        return type(self)(self.X[rows], self.meter, self.share * len(rows) / max(self.shape[0], 1))

    def columns(self, columns):
        """Some columns, as a design."""
        return type(self)(self.X[:, columns], self.meter, self.share * len(columns) / max(self.shape[1], 1))

    def moments(self, weights):
        """Weighted mean and variance of every column; `weights` of shape (n_samples,) sum to one.

        Parts are merged by the update of Chan, Golub & LeVeque (1983), "Algorithms for computing the sample
        variance", so that an offset costs no accuracy.
        """
        self.meter.read(self.share)
        total, mean, scatter = 0.0, np.zeros(self.shape[1]), np.zeros(self.shape[1])
        for part_total, part_mean, part_scatter in self._partial_moments(weights):
            if part_total > 0:
                total += part_total
                delta = part_mean - mean
                mean += delta * (part_total / total)
                scatter += part_scatter + delta * delta * (part_total * (total - part_total) / total)
        return mean, np.maximum(scatter, 0) / total


class Dense(Design):
    """X as a NumPy array of any float type, order and stride; converted by row blocks where BLAS could not take it."""

    def __init__(self, X, meter=None, share=1.0):
        super().__init__(X, meter, share)
        contiguous = X.flags.c_contiguous or X.flags.f_contiguous
        self._ready = X.dtype == np.float64 and contiguous and X.flags.aligned

    def _block(self, rows):
        return np.asarray(self.X[rows], dtype=np.float64)

    def _joined(self, blocks):
        """Neighbouring blocks as one, where BLAS takes them as they lie: its products are best left whole."""
        return [slice(blocks[0].start, blocks[-1].stop)] if self._ready else blocks

    def dot(self, W):
        """``X @ W.T``, of shape (n_samples, n_outputs)."""
        self.meter.read(self.share)
        out = np.empty((self.shape[0], len(W)))

        def of_blocks(blocks):
            for rows in self._joined(blocks):
                np.matmul(self._block(rows), W.T, out=out[rows])

        in_threads(of_blocks, row_blocks(*self.shape))
        return out

    def tdot(self, R):
        """``R.T @ X``, of shape (n_outputs, n_features)."""
        self.meter.read(self.share)

        def of_blocks(blocks):
            return sum(R[rows].T @ self._block(rows) for rows in self._joined(blocks))

        return sum(in_threads(of_blocks, row_blocks(*self.shape)))

    def gram(self, weights, centre, scale):
        """Weighted Gram matrices of the centred, scaled columns, one for each column of `weights` (>= 0), and their sums.

        Returns
        -------
        gram : ndarray of shape (n_weights, n_features, n_features)
            ``sum_i weights_i x_i x_iᵀ`` with ``x_i = (X_i - centre) * scale``.
        cross : ndarray of shape (n_weights, n_features)
            ``sum_i weights_i x_i``.
        """
        self.meter.read(self.share)

        def of_blocks(blocks):
            n_weights, n_features = weights.shape[1], self.shape[1]
            gram, cross = np.zeros((n_weights, n_features, n_features)), np.zeros((n_weights, n_features))
            buffer = np.empty((blocks[0].stop - blocks[0].start, n_features))
            for rows in blocks:
                block = self._affine(rows, centre, scale)
                cross += weights[rows].T @ block
                roots = np.sqrt(weights[rows])
                for k in range(n_weights):
                    weighted = np.multiply(block, roots[:, k : k + 1], out=buffer[: len(block)])
                    gram[k] += weighted.T @ weighted  # one array twice: BLAS computes half of it (syrk)
            return gram, cross

        parts = in_threads(of_blocks, row_blocks(*self.shape))
        return sum(gram for gram, _ in parts), sum(cross for _, cross in parts)

    def _affine(self, rows, centre, scale):
        block = self._block(rows)
        block = block - centre if np.any(centre) else block
        return block * scale if np.any(scale != 1) else block

    def row_squares(self, centre, scale):
        """Squared norm of every centred, scaled row."""
        self.meter.read(self.share)
        blocks = (self._affine(rows, centre, scale) for rows in row_blocks(*self.shape))
        return np.concatenate([np.einsum("ij,ij->i", block, block) for block in blocks])

    def _partial_moments(self, weights):
        def of_blocks(blocks):
            return [self._moments_of(rows, weights[rows]) for rows in blocks]

        return [part for parts in in_threads(of_blocks, row_blocks(*self.shape)) for part in parts]

    def _moments_of(self, rows, weights):
        block, total = self._block(rows), weights.sum()
        if total == 0:
            return total, 0.0, 0.0
        mean = (weights / total) @ block
        centred = block - mean
        rest = (weights / total) @ centred  # what rounding left of the mean
        mean, centred = mean + rest, np.subtract(centred, rest, out=centred)
        return total, mean, weights @ np.square(centred, out=centred)


class Sparse(Design):
    """X as a SciPy CSR or CSC array or matrix, int32 or int64 indices; never densified."""

    def dot(self, W):
        """``X @ W.T``, of shape (n_samples, n_outputs)."""
        self.meter.read(self.share)
        return self.X @ np.ascontiguousarray(W.T)

    def tdot(self, R):
        """``R.T @ X``, of shape (n_outputs, n_features)."""
        self.meter.read(self.share)
        return np.ascontiguousarray((self.X.T @ R).T)

    def gram(self, weights, centre, scale):
        """As `Dense.gram`; centring is applied to the sums, because the centred matrix would be dense."""
        self.meter.read(self.share)
        scaled = sparse.csr_matrix(self.X) @ sparse.diags(scale)
        centre = centre * scale
        gram = np.empty((weights.shape[1], self.shape[1], self.shape[1]))
        cross = weights.T @ scaled - weights.sum(axis=0)[:, None] * centre
        for k, column in enumerate(weights.T):
            raw = (sparse.diags(column) @ scaled).T @ scaled
            shift = np.outer(centre, cross[k])
            gram[k] = raw.toarray() - shift - shift.T - column.sum() * np.outer(centre, centre)
        return gram, cross

    def row_squares(self, centre, scale):
        """Squared norm of every centred, scaled row."""
        self.meter.read(self.share)
        X, square = self.X, np.square(scale)
        stored = X.multiply(X) @ square - 2 * (X @ (centre * square))
        return np.maximum(stored + np.sum(square * centre * centre), 0)

    def rows(self, rows):
        """Some rows, as a design."""
        return Sparse(self._csr[rows], self.meter, self.share * len(rows) / max(self.shape[0], 1))

    @cached_property
    def _csr(self):
        return self.X.tocsr()

    def _partial_moments(self, weights):
        triplets, n_features = self.X.tocoo(copy=False), self.shape[1]
        column, values = triplets.col, triplets.data.astype(np.float64, copy=False)
        weight = weights[triplets.row]
        stored = np.bincount(column, weight, n_features)
        total = weights.sum()
        missing = np.maximum(total - stored, 0)
        mean = np.bincount(column, weight * values, n_features) / total
        mean += (np.bincount(column, weight * (values - mean[column]), n_features) - missing * mean) / total
        scatter = np.bincount(column, weight * np.square(values - mean[column]), n_features)
        return [(total, mean, scatter + missing * np.square(mean))]


def as_design(X):
    """Give X a home: SciPy sparse (CSR or CSC) or NumPy."""
    if not sparse.issparse(X):
        return Dense(X)
    if not X.has_canonical_format:  # duplicates would be counted twice in squares; work on a copy, X is the user's
        X = X.copy()
        X.sum_duplicates()
    return Sparse(X)
