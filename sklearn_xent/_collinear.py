"""Collinear columns without a penalty: of all optima, the one of least norm."""

import numpy as np
from scipy import linalg

from sklearn_xent._linalg import EPS

MOST = 2500  # columns up to which collinearity is looked for
ENOUGH = 4  # rows a column that show, most often, that columns are independent
NULL = 64  # eigenvalues below this many units in the last place, a column, are rounding


def minimum_norm(objective, W, b):
    """Return the coefficients of least norm, in the units of the data, among those that give the scores of W without a penalty.

    Parameters
    ----------
    objective : Objective
    W : ndarray of shape (n_outputs, n_features)
        In the objective's units.
    b : ndarray of shape (n_outputs,)

    Returns
    -------
    ndarray of shape (n_outputs, n_features)
    """
    if objective.penalty.l1.any() or objective.penalty.l2.any():
        return W
    rows, used = np.flatnonzero(objective.row_weight > 0), np.flatnonzero(objective.scale > 0)
    if not 1 < len(used) <= MOST:
        return W
    few = ENOUGH * len(used)
    if len(rows) > few and not _null_space(objective.of_rows(rows[:: len(rows) // few], 1.0), used).size:
        return W
    null = _null_space(objective, used)
    if not null.size:
        return W
    scale = objective.scale[used]
    flat, _ = linalg.qr(null * scale[:, None], mode="economic")
    least, w = W.copy(), W[:, used] * scale
    least[:, used] = (w - (w @ flat) @ flat.T) / scale
    return least if objective.at(least, b).value <= objective.at(W, b).value * (1 + 1e-12) else W


def _null_space(objective, used):
    """Combinations of columns that are constant (zero, without intercept), one a column of the result."""
    present = objective.row_weight > 0
    gram, cross = objective.gram(lambda rows: present[rows, None].astype(float), 1)
    gram = gram[0] - np.outer(cross[0], cross[0]) / present.sum() if objective.fit_intercept else gram[0]
    gram = gram[np.ix_(used, used)]
    root = 1 / np.sqrt(np.maximum(gram.diagonal(), 1e-300))
    values, vectors = linalg.eigh(gram * np.outer(root, root), check_finite=False)
    return vectors[:, values <= NULL * len(used) * EPS * values[-1]] * root[:, None]
