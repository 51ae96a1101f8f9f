"""What the rows tell of the coefficients at a fit: curvature, gradients, and the covariances made of them.

Parameters are, for each free output k, an intercept (if there is one) and a coefficient a column, such that the row's scores
are ``a_i @ theta_k`` with ``a_i = (1, x_i)``. For softmax the free outputs are the contrasts of all classes but the first
with the first. Sums are computed in columns that are centred and scaled, because those of an offset column cancel.
"""

import numpy as np
from scipy import linalg

from sklearn_xent._threads import row_blocks

SINGULAR = 1e-11  # eigenvalue of the information, scaled to a unit diagonal, that counts as zero
INVOLVED = 0.05  # entry of its eigenvector, beside the largest, that says that a column is involved


class Rows:
    """Rows as parameters see them: ``a_i`` in centred, scaled columns, by blocks.

    Parameters
    ----------
    design : Design
    weights : ndarray of shape (n_samples,)
        Where the columns' centre is.
    fit_intercept : bool
    """

    def __init__(self, design, weights, fit_intercept):
        self.design, self.fit_intercept = design, int(fit_intercept)
        mean, variance = design.moments(weights / weights.sum())
        self.centre = mean if fit_intercept else np.zeros_like(mean)
        spread = np.sqrt(variance + (0 if fit_intercept else np.square(mean)))
        negligible = spread <= 1e-13 * np.abs(mean)
        self.scale = np.divide(1, spread, out=np.zeros_like(spread), where=~negligible)

    @property
    def width(self):
        """Parameters of an output."""
        return self.design.shape[1] + self.fit_intercept

    def blocks(self, n_outputs):
        """Pairs of a slice and the ``a_i`` of its rows."""
        for rows in row_blocks(self.design.shape[0], self.width * n_outputs):
            yield rows, self.of(self.design, rows)

    def of(self, design, rows=slice(None)):
        """Return the ``a_i`` of some rows (a slice) of a design."""
        A = design.dense_rows(rows, self.centre, self.scale)
        return np.hstack([np.ones((len(A), 1)), A]) if self.fit_intercept else A

    def back(self, n_outputs):
        """Return the matrix that takes parameters of the scaled columns to those of the data, for all outputs."""
        T = np.diag(np.append(np.ones(self.fit_intercept), self.scale))
        if self.fit_intercept:
            T[0, 1:] = -self.centre * self.scale
        return np.kron(np.eye(n_outputs), T)


def information(rows, curvature, weights):
    """Sum of the rows' curvatures, ``sum_i w_i (H_i ⊗ a_i a_iᵀ)``.

    Parameters
    ----------
    rows : Rows
    curvature : ndarray of shape (n_samples, n_outputs, n_outputs)
        Second derivatives H of each row's loss in its free scores.
    weights : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_outputs * width, n_outputs * width)
    """
    n_outputs, q = curvature.shape[1], rows.width
    total = np.zeros((n_outputs, q, n_outputs, q))
    for block, A in rows.blocks(n_outputs):
        for k in range(n_outputs):
            for j in range(k, n_outputs):
                part = A.T @ (A * (weights[block] * curvature[block, k, j])[:, None])
                total[k, :, j] += part
                if j > k:
                    total[j, :, k] += part
    return total.reshape(n_outputs * q, n_outputs * q)


def row_gradients(rows, residuals):
    """Yield blocks of rows (slices) and the gradients of their losses, ``r_i ⊗ a_i`` of shape (n_rows, n_outputs * width)."""
    for block, A in rows.blocks(residuals.shape[1]):
        yield block, (residuals[block, :, None] * A[:, None, :]).reshape(len(A), -1)


def outer_products(rows, residuals, weights):
    """Sum of the outer products of the rows' gradients, each times its weight."""
    return sum(S.T @ (S * weights[block, None]) for block, S in row_gradients(rows, residuals))


def group_sums(rows, residuals, groups):
    """Sums of the gradients over the rows of each group, shape (n_groups, n_outputs * width)."""
    sums = np.zeros((groups.max() + 1, residuals.shape[1] * rows.width))
    for block, S in row_gradients(rows, residuals):
        np.add.at(sums, groups[block], S)
    return sums


def inverse(matrix):
    """Inverse of an information matrix, or the parameters (an index array) that are collinear.

    Returns
    -------
    inverse : ndarray or None
    collinear : ndarray of int
    """
    diagonal = matrix.diagonal()
    dead = np.flatnonzero(diagonal <= 0)
    if len(dead):
        return None, dead
    root = 1 / np.sqrt(diagonal)
    values, vectors = linalg.eigh(matrix * np.outer(root, root))
    if values[0] <= SINGULAR:
        null = np.abs(vectors[:, values <= SINGULAR]).max(axis=1)
        return None, np.flatnonzero(null > INVOLVED * null.max())
    return (vectors / values) @ vectors.T * np.outer(root, root), dead
