"""How far from the optimum, proven.

Weak duality: the residuals of any point, scaled by theta <= 1, are feasible for the dual problem (their weighted sum is zero,
because the intercept is profiled), so that primal minus dual objective bounds F(W) - F*. Written as sums of non-negative
Fenchel terms, one a coefficient, nothing cancels and the bound stays meaningful down to rounding. It costs no
pass: ``X.T @ residuals`` is the gradient.

Coefficients without a penalty (`C=inf`, or a penalty below rounding) have no dual bound. Their share is half the squared
Newton decrement on those coordinates, the quadratic model's distance to its minimum (Boyd & Vandenberghe 2004, section 9.5): an
estimate, not a bound, and at the price of a Hessian, so that it is computed only where it can decide something.
"""

import numpy as np

from sklearn_xent._linalg import EPS, conjugate_gradients, relative, spd_solve

MOST_EXPLICIT = 1500  # order up to which a Hessian block is formed for the decrement


def duality_gap(point, penalised):
    """Bound of the share of the penalised coefficients; each task (One-vs-Rest) has its own dual problem.

    Parameters
    ----------
    point : Point
    penalised : ndarray of bool, shape (n_features,)

    Returns
    -------
    float
    """
    n_penalised = np.count_nonzero(penalised)
    if n_penalised == 0:
        return 0.0
    if not point.dual_feasible:
        return np.inf
    penalty, W, U = point.objective.penalty, point.W, -point.loss_gradient
    if n_penalised < len(penalised):
        penalty, W, U = penalty.restrict(penalised), W[:, penalised], U[:, penalised]
    shape = (point.objective.loss.n_tasks, -1, n_penalised)  # Softmax: all outputs are one task
    W, U = W.reshape(shape), U.reshape(shape)

    plain = _fenchel_sum(penalty, W, U) if np.all(penalty.l2 > 0) else np.inf
    if penalty.smooth:
        return float(np.sum(plain))
    theta = _feasible_scaling(penalty, U)
    shrunk = _fenchel_sum(penalty, W, theta[:, None, None] * U)
    if np.any(theta < 1):
        shrunk = shrunk + point.scaled_dual_cost(theta)
    return float(np.sum(np.minimum(shrunk, plain)))


def _fenchel_sum(penalty, W, U):
    return penalty.fenchel_gap(W, U).sum(axis=(1, 2))


def _feasible_scaling(penalty, U):
    """Largest theta <= 1 of each task with ``theta |U| <= l1``; one where there is no l1 penalty (nothing to scale to)."""
    needs = penalty.l1 > 0
    if not needs.any():
        return np.ones(len(U))
    with np.errstate(over="ignore"):
        excess = np.max(np.abs(U[..., needs]) / penalty.l1[needs], axis=(1, 2))
    return 1 / np.maximum(excess, 1)


def free_columns(objective):
    """Columns whose penalty is lost in rounding beside the curvature of the loss: no dual bound is of use there."""
    scale = objective.curvature_bound
    penalty = objective.penalty
    return (objective.scale > 0) & (penalty.l2 <= 1e-3 * EPS * scale) & (penalty.l1 <= 1e-11 * np.sqrt(scale))


class Certificate:
    """The optimality gap of points of one objective, computed no more often than it can matter.

    Parameters
    ----------
    objective : Objective
    target : float
        The gap that is good enough.
    """

    def __init__(self, objective, target):
        self.target = target
        self.free = np.flatnonzero(free_columns(objective))
        self.penalised = (objective.scale > 0) & ~np.isin(np.arange(objective.shape[1]), self.free)
        self._recheck_below = np.inf

    def gap(self, point):
        """Bound of ``F(point) - F*``; inf where computing it could not change a decision."""
        gap = duality_gap(point, self.penalised)
        if len(self.free) == 0:
            return gap
        hint = self._least_decrement(point)
        if gap + hint > self.target or hint > self._recheck_below:
            return np.inf
        decrement = self._decrement(point)
        if decrement > self.target > 0:  # the gap falls about as the hint does: look again when it may suffice
            self._recheck_below = hint * self.target / decrement
        return gap + decrement

    def final(self, point):
        """Bound of ``F(point) - F*``, computed whatever it costs."""
        gap = duality_gap(point, self.penalised)
        return gap + (self._decrement(point) if len(self.free) else 0.0)

    def _decrement(self, point):
        # Where all scores saturate there is no curvature left to see, but the gradient still tells.
        return max(half_squared_decrement(point, self.free), self._least_decrement(point))

    def _least_decrement(self, point):
        """No larger than the decrement: the best that one coordinate promises under the largest curvature."""
        bound = point.objective.curvature_bound[self.free] + point.objective.penalty.l2[self.free]
        return float(np.max(np.square(point.gradient[:, self.free]) / bound)) / 2


def half_squared_decrement(point, columns):
    """``gᵀ H⁻¹ g / 2`` over some columns of all outputs, H explicit where small, otherwise by conjugate gradients."""
    part = point.restrict(columns)
    gradient = part.gradient
    if part.objective.hessian_order <= MOST_EXPLICIT and part.objective.small_hessian:
        hessian = part.hessian()
        blocks = gradient.reshape(len(hessian), -1)
        return sum(float(g @ spd_solve(H, g)) for H, g in zip(hessian, blocks, strict=True)) / 2
    step = conjugate_gradients(part.hessian_vector, gradient, part.hessian_diagonal, stop=relative(1e-4), max_iter=500)
    return max(float(np.vdot(gradient, step)), 0.0) / 2
