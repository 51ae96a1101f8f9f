"""Gradient descent with the Lipschitz step."""

import numpy as np

from sklearn_xent._checks import check_real_or
from sklearn_xent._minimise import iterate
from sklearn_xent._penalty import soft_threshold
from sklearn_xent.solvers._base import DIVERGED, Solver


class GradientDescent(Solver):
    """Proximal gradient descent, in the units of the data.

    Parameters
    ----------
    step_size : "lipschitz" or float, default="lipschitz"
        ``1 / L`` with L the Lipschitz constant of this loss, these weights, this penalty and this design, intercept included
        (Yedida & Saha 2019, "LipschitzLR"); a float is taken as given.
    momentum : float in [0, 1) or "nesterov", default=0.0
        A float is Polyak's heavy ball (1964); "nesterov" is accelerated (Beck & Teboulle 2009, FISTA) and restarts
        when the momentum points uphill (O'Donoghue & Candès 2015).
    """

    _patience = 500

    def __init__(self, step_size="lipschitz", momentum=0.0):
        self.step_size = step_size
        self.momentum = momentum

    def check_params(self):
        check_real_or("step_size", self.step_size, "lipschitz", "a positive float", lambda v: 0 < v < np.inf)
        allowed = "a float from 0 up to, not including, 1"
        check_real_or("momentum", self.momentum, "nesterov", allowed, lambda v: 0 <= v < 1)

    def _prepare(self, objective):
        return objective

    def _run(self, point, monitor, random_state):
        objective = point.objective
        size = _inverse(objective.lipschitz()) if self.step_size == "lipschitz" else self.step_size
        rule = _nesterov(point.W) if self.momentum == "nesterov" else _heavy_ball(point.W, self.momentum)
        threshold = size * objective.penalty.l1

        def step(point):
            descent = size * point.smooth_gradient
            W = rule(point.W, descent, threshold)
            following = point.along(W - point.W).point(1.0)
            # A given step may be too long: then the iterates grow without bound, and there is nothing to go on with.
            return following if following.value < DIVERGED else None

        with np.errstate(over="ignore", invalid="ignore"):
            iterate(point, step, monitor)


def _inverse(lipschitz):
    return 1 / lipschitz if lipschitz > 0 else 1.0


def _heavy_ball(W, momentum):
    previous = W

    def rule(W, descent, threshold):
        nonlocal previous
        following = soft_threshold(W - descent + momentum * (W - previous), threshold)
        previous = W
        return following

    return rule


def _nesterov(W):
    x, t = W, 1.0

    def rule(y, descent, threshold):
        nonlocal x, t
        following = soft_threshold(y - descent, threshold)
        if np.vdot(y - following, following - x) > 0:
            t = 1.0
        grown = (1 + np.sqrt(1 + 4 * t * t)) / 2
        extrapolated = following + (t - 1) / grown * (following - x)
        x, t = following, grown
        return extrapolated

    return rule
