"""Newton-Raphson with the exact Hessian."""

import numpy as np

from sklearn_xent._minimise import iterate, line_search
from sklearn_xent._model import ExplicitModel, minimise_model
from sklearn_xent._reductions import working_set
from sklearn_xent.solvers._base import Solver


class Newton(Solver):
    """Newton-Raphson: exact Hessian in row blocks, Cholesky, a line search that reads no data.

    Singular Hessians (collinear columns without penalty) take the minimum-norm step. With an l1 penalty, proximal Newton on
    a working set of columns (Lee, Sun & Saunders 2014, SIAM J. Optimization 24). Each iteration forms matrices of
    order n_features (times n_classes for softmax): for tall data with up to a thousand or so.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> from sklearn_xent.solvers import Newton
    >>> X, y = load_iris(return_X_y=True)
    >>> CrossEntropyClassifier(solver=Newton()).fit(X, y).status_
    'converged'
    """

    def _run(self, point, monitor, random_state):
        iterate(point, self._step, monitor)

    def _step(self, point):
        if point.objective.penalty.smooth:
            return _advance(point, ExplicitModel(point).solve(-point.gradient))
        return proximal_step(point, ExplicitModel)


def proximal_step(point, build):
    """Return the next point of proximal Newton on a working set, its model built by `build(restricted point)`."""
    columns = working_set(point)
    part = point.restrict(columns)
    penalty = part.objective.penalty
    smooth_gradient = part.loss_gradient + penalty.l2 * part.W
    D = np.zeros_like(point.W)
    D[:, columns] = minimise_model(build(part), smooth_gradient, part.W, penalty.l1, accuracy=1e-4)
    return _advance(point, D, longest=1.0)


def _advance(point, D, longest=np.inf):
    line = point.along(D)
    t = line_search(line, longest)
    return None if t is None else line.point(t)
