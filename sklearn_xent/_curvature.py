"""Second derivatives of the losses in the scores, rows weighted.

A row's curvature is a small symmetric matrix over its scores. `SeparableCurvature` is diagonal (binary, One-vs-Rest);
`SoftmaxCurvature` is ``s (diag(p) - p pᵀ)``. Both answer the same questions, so that nothing above asks which it has:

- ``rows(rows)``: the curvature of some of the rows;
- ``apply(u)``: the curvature of every row times that row of `u`;
- ``diagonal()``: the diagonals, one column an output;
- ``entries()``: the numbers >= 0 that make it, a column each: the diagonal, or for softmax, whose rows sum to zero, what is
  below it, negated.
"""

import numpy as np

EPS = np.finfo(float).eps
TINY = 1e-290  # keeps a sum of underflowed curvatures invertible; far below any that matters


class SeparableCurvature:
    """Diagonal curvature: every output is a block of its own.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_outputs)
        Weighted second derivatives.
    """

    def __init__(self, values):
        self.values = values

    def rows(self, rows):
        return SeparableCurvature(self.values[rows])

    def apply(self, u):
        return self.values * u

    def diagonal(self):
        return self.values

    def entries(self):
        return self.values


class SeparableTotal:
    """Sum of diagonal curvatures.

    Parameters
    ----------
    values : ndarray of shape (n_outputs,)
    """

    def __init__(self, values):
        self.values = values + TINY

    def solve(self, b):
        return b / self.values

    def solve_blocks(self, B):
        return B / self.values[:, None, None]

    @property
    def least(self):
        """Smallest curvature of each block in any direction that matters."""
        return self.values


class SoftmaxCurvature:
    """Curvature ``s (diag(p) - p pᵀ)``: all outputs in one block.

    Parameters
    ----------
    weights : ndarray of shape (n_samples, 1)
        Row weights s.
    probabilities : ndarray of shape (n_samples, n_outputs)
        The softmax p of each row.
    """

    def __init__(self, weights, probabilities):
        self.weights, self.probabilities = weights, probabilities

    def rows(self, rows):
        return SoftmaxCurvature(self.weights[rows], self.probabilities[rows])

    def apply(self, u):
        p = self.probabilities
        return self.weights * p * (u - (p * u).sum(axis=1)[:, None])

    def diagonal(self):
        p = self.probabilities
        return self.weights * p * (1 - p)

    def entries(self):
        p, weighted = self.probabilities, self.weights * self.probabilities
        n_rows, n_outputs = p.shape
        entries, start = np.empty((n_rows, n_outputs * (n_outputs - 1) // 2), order="F"), 0
        for k in range(1, n_outputs):  # a slice a row of the triangle: taking columns by index is 20 times slower
            np.multiply(weighted[:, k : k + 1], p[:, :k], out=entries[:, start : start + k])
            start += k
        return entries


class SoftmaxTotal:
    """Sum of softmax curvatures, made invertible.

    Parameters
    ----------
    values : ndarray of shape (n_outputs, n_outputs)
    """

    def __init__(self, values):
        # A common shift of all scores changes nothing: give that direction curvature, so that a step never takes it.
        level = max(np.trace(values), TINY) / len(values)
        self.values = values + level / len(values)
        np.einsum("kk->k", self.values)[:] += 32 * EPS * level

    def solve(self, b):
        return np.linalg.solve(self.values, b)

    def solve_blocks(self, B):
        return np.linalg.solve(self.values, B)

    @property
    def least(self):
        """Smallest curvature of each block in any direction that matters."""
        return np.linalg.eigvalsh(self.values)[:1]
