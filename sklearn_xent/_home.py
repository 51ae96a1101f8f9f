"""What every home of the data matrix has: its shape, how often it was read, moments and Gram matrices of its columns.

`Meter` counts reads: one `dot` and one `tdot` make a pass.
"""

from threading import Lock

import numpy as np

from sklearn_xent._linalg import added_up
from sklearn_xent._threads import BLOCK_ELEMENTS, in_threads, row_blocks

WEIGH = 0.5  # nanoseconds: one number of a row, weighted for a Gram matrix
READ = 0.18  # nanoseconds: one stored number, once, from memory; see `_costs`
_COUNTING = Lock()  # of all meters: one of their own would keep designs from being pickled


class Meter:
    """Counts passes over the data: one pass is ``X @ d`` and then ``X.T @ r``."""

    def __init__(self):
        self.passes = 0.0

    def read(self, share=1.0):
        """Record that a share of the data was read once."""
        with _COUNTING:
            self.passes += share / 2


class Design:
    """What dense and sparse homes share: shape, meter, moments and Gram matrices.

    Parameters
    ----------
    shape : tuple
        Of X.
    size : int
        How many numbers X has; SciPy counts stored ones only.
    meter : Meter
        Shared with every part taken from this design.
    share : float
        The part of the whole data that this design holds.
    """

    def __init__(self, shape, size, meter=None, share=1.0):
        self.shape, self.size, self.share = shape, size, share
        self.meter = Meter() if meter is None else meter

    gram_cost = 0.0135  # nanoseconds a multiplication in a Gram matrix of dense rows

    def per_number(self, n_outputs):
        """Nanoseconds that a product with so many vectors takes, about, for each stored number."""
        return READ + self.product_cost * n_outputs

    # Products. A home says what its parts are, runs of rows with their numbers, and how one is multiplied.

    def dot(self, W, b=0.0):
        """``X @ W.T + b``, of shape (n_samples, n_outputs), each output contiguous."""
        self.meter.read(self.share)
        out = np.empty((self.shape[0], len(W)), order="F")

        def of_parts(parts):
            for rows, part in parts:
                self._product(part, W, b, out[rows])

        self._over_parts(of_parts, len(W))
        return out

    def tdot(self, R):
        """``R.T @ X``, of shape (n_outputs, n_features); of R (n_samples, n_outputs) slices of rows are asked for."""
        self.meter.read(self.share)

        def of_parts(parts):
            return added_up(self._transposed_product(part, R[rows]) for rows, part in parts)

        return added_up(self._over_parts(of_parts, R.shape[1]))

    def there_and_back(self, W, b, change):
        """``change(X @ W.T + b).T @ X``, of shape (n_outputs, n_features): `dot` and `tdot` in one.

        ``change(rows, scores)`` is asked for slices of rows, in threads. Sparse data take a fifth less time so.
        """
        self.meter.read(2 * self.share)

        def of_parts(parts):
            return added_up(of_part(*part) for part in parts)

        def of_part(rows, part):
            scores = np.empty((part.shape[0], len(W)), order="F")
            self._product(part, W, b, scores)
            return self._transposed_product(part, change(rows, scores))

        return added_up(self._over_parts(of_parts, 2 * len(W)))

    def moments(self, weights):
        """Weighted mean and variance of every column; `weights` of shape (n_samples,) sum to one.

        Sums about a guess of the mean, repeated about the mean where the guess was so far off that the difference
        of the sums would cancel (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance").
        """
        guess = self._typical()
        for _ in range(2):
            self.meter.read(self.share)
            first, second = self._sums_about(guess, weights)
            mean, square = guess + first, np.square(first)
            if not (square > 0.9 * second).any():
                break
            guess = mean
        return mean, np.maximum(second - square, 0)

    def gram(self, weights, n_weights, centre, scale):
        """Weighted Gram matrices of the centred, scaled columns, and their weighted sums.

        Rows are made dense, block by block.

        Parameters
        ----------
        weights : callable
            ``weights(rows)``: for a slice of rows, weights >= 0 of shape (n_rows, n_weights).
        n_weights : int
            How many Gram matrices.
        centre, scale : ndarray of shape (n_features,)

        Returns
        -------
        gram : ndarray of shape (n_weights, n_features, n_features)
            ``sum_i weights_i x_i x_iᵀ`` with ``x_i = (X_i - centre) * scale``.
        cross : ndarray of shape (n_weights, n_features)
            ``sum_i weights_i x_i``.
        """
        self.meter.read(self.share)
        n_features = self.shape[1]
        most = max(BLOCK_ELEMENTS, min(512, -(-self.shape[0] // 2)) * n_features)  # long blocks, but two at least
        blocks = row_blocks(self.shape[0], max(n_features, n_weights), most)

        def of_blocks(blocks):
            gram, cross = np.zeros((n_weights, n_features, n_features)), np.zeros((n_weights, n_features))
            buffer = np.empty((blocks[0].stop - blocks[0].start, n_features))
            for rows in blocks:
                block, these = self.dense_rows(rows, centre, scale), weights(rows)
                cross += np.dot(these.T, block)
                roots = np.sqrt(these)
                for k in range(n_weights):
                    weighted = np.multiply(block, roots[:, k : k + 1], out=buffer[: len(block)])
                    gram[k] += np.dot(weighted.T, weighted)  # one array twice: BLAS computes half of it (syrk)
            return gram, cross

        parts = in_threads(of_blocks, blocks, self.shape[0] * self.gram_row(n_weights))
        return added_up(gram for gram, _ in parts), added_up(cross for _, cross in parts)

    def gram_row(self, n_weights):
        """Nanoseconds that a row takes, about, in so many Gram matrices."""
        n_features = self.shape[1]
        return n_weights * (self.gram_cost * n_features**2 + WEIGH * n_features)
