"""The log-likelihood of a binary model with one coefficient held at a value, the others optimal: a fit with an offset."""

import numpy as np

from sklearn_xent._losses import Logistic
from sklearn_xent._minimise import Controls
from sklearn_xent._objective import Objective
from sklearn_xent._penalty import ElasticNet
from sklearn_xent.solvers import Auto

TOL = 1e-11  # of these fits: their differences are what is asked for


def held_log_likelihood(model, j, value, ridge):
    """Log-likelihood, less the ridge penalty ``ridge / 2 |w|²``, maximised over all but the coefficient of column j.

    Parameters
    ----------
    model : BinaryLikelihood
    j : int
        Index of the column.
    value : float
        Where its coefficient is held.
    ridge : float

    Returns
    -------
    float
    """
    design, weights = model.design, model.weight * model.factors
    total = weights.sum()
    columns = np.setdiff1d(np.arange(design.shape[1]), [j])
    direction = np.zeros((1, design.shape[1]))
    direction[0, j] = value
    signs = np.where(model.member, -1, 1).astype(np.int8)[:, None]
    strength = ridge / total * np.ones(len(columns))
    objective = Objective(
        design.columns(columns),
        Logistic(signs),
        (weights / total)[:, None],
        ElasticNet(0 * strength, strength),
        model.fit_intercept,
        offset=design.dot(direction),
    )
    solution = Auto().minimise(objective, Controls(tol=TOL))
    if solution.interruption:
        raise solution.interruption
    return -total * solution.value - ridge / 2 * value**2
