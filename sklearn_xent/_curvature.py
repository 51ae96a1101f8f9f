"""Second derivatives of the losses in the scores, rows weighted.

A row's curvature is a small symmetric matrix over its scores. `SeparableCurvature` is diagonal (binary, One-vs-Rest);
`SoftmaxCurvature` is ``s (diag(p) - p pᵀ)``. Both answer the same questions, so that nothing above asks which it has:

- ``apply(u)``: the curvature of every row times that row of `u`;
- ``diagonal()``: the diagonals, one column an output;
- ``total()``: the sum over the rows, invertible (where the scores have a free common shift, it is pinned);
- ``pairs()``: the distinct entries, see `Pair`; ``entries(rows)``: their absolute values at some of the rows, one column a pair.
"""

from typing import NamedTuple

import numpy as np

TINY = 1e-290  # keeps a sum of underflowed curvatures invertible; far below any that matters


class Pair(NamedTuple):
    """One distinct entry of a row's curvature: block of outputs, place in the block, sign."""

    block: int
    row: int
    column: int
    sign: int


class SeparableCurvature:
    """Diagonal curvature: every output is a block of its own.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_outputs)
        Weighted second derivatives.
    """

    def __init__(self, values):
        self.values = values
        self.n_blocks, self.block_size = values.shape[1], 1

    def apply(self, u):
        return self.values * u

    def diagonal(self):
        return self.values

    def total(self):
        return np.diag(self.values.sum(axis=0) + TINY)

    def pairs(self):
        return [Pair(k, 0, 0, 1) for k in range(self.n_blocks)]

    def entries(self, rows):
        return self.values[rows]


class SoftmaxCurvature:
    """Curvature ``s (diag(p) - p pᵀ)``: all outputs in one block.

    Parameters
    ----------
    weights : ndarray of shape (n_samples, 1)
        Row weights s.
    probabilities : ndarray of shape (n_samples, n_outputs)
        The softmax p of each row.
    """

    n_blocks = 1

    def __init__(self, weights, probabilities):
        self.weights, self.probabilities = weights, probabilities
        self.block_size = probabilities.shape[1]

    def apply(self, u):
        p = self.probabilities
        mean = np.einsum("ik,ik->i", p, u)[:, None]
        return self.weights * p * (u - mean)

    def diagonal(self):
        p = self.probabilities
        return self.weights * p * (1 - p)

    def total(self):
        p, weighted = self.probabilities, self.weights * self.probabilities
        total = np.diag(weighted.sum(axis=0)) - p.T @ weighted
        # A common shift of all scores changes nothing: give that direction curvature, so that a step never takes it.
        level = max(np.trace(total), TINY) / len(total)
        return total + level / len(total) + 32 * np.finfo(float).eps * level * np.eye(len(total))

    def pairs(self):
        q = self.block_size
        return [Pair(0, k, k, 1) for k in range(q)] + [Pair(0, k, j, -1) for k in range(q) for j in range(k)]

    def entries(self, rows):
        p = self.probabilities[rows]
        weighted = self.weights[rows] * p
        below, left = np.tril_indices(self.block_size, -1)
        return np.hstack([weighted * (1 - p), weighted[:, below] * p[:, left]])
