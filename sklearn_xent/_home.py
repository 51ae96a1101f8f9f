"""What every home of the data matrix has: its shape, how often it was read, and the moments of its columns.

`Meter` counts reads: one `dot` and one `tdot` make a pass.
"""

from threading import Lock

import numpy as np

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
    """What dense and sparse homes share: shape, meter, and the moments.

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

    origin = 0.0  # what was subtracted from every row

    def per_number(self, n_outputs):
        """Nanoseconds that a product with so many vectors takes, about, for each stored number."""
        return READ + self.product_cost * n_outputs

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
