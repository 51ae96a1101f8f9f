"""The objective along a direction: what a line search asks, at no pass a trial."""

from typing import NamedTuple

import numpy as np


class Evaluation(NamedTuple):
    """Scores, their residuals, the residuals' weighted sum, and the sum of the curvatures."""

    Z: np.ndarray
    residuals: np.ndarray
    balance: np.ndarray
    total: object


class Line:
    """The objective along ``W + t D``, the intercept following its tangent; nothing but `point`'s gradient costs a pass."""

    def __init__(self, start, D, U, tangent):
        self.start, self.D = start, D
        self._U, self._tangent = U, tangent
        self._last = (None, None)  # the last t and its evaluation: accepting it is free

    def _evaluation(self, t):
        last, room = self._last
        if last != t:
            self._last = (t, self.start.evaluate(self._U, t, room))
        return self._last[1]

    def slope(self, t):
        """Derivative of the objective at t; with an l1 penalty, from the left (at 0: from the right)."""
        start, objective = self.start, self.start.objective
        if t == 0:
            return float(np.vdot(start.loss_gradient, self.D)) + objective.penalty.onset(start.W, self.D)
        weights, residuals = objective.weights, self._evaluation(t).residuals
        loss = sum(objective.over_rows(lambda rows: (weights[rows] * residuals[rows] * self._U[rows]).sum()))
        return float(loss) + objective.penalty.slope(start.W, self.D, t)

    def rises(self, t):
        """Whether the objective at t is above where the line starts, beyond rounding."""
        start = self.start
        return start.objective.value(start.W + t * self.D, self._evaluation(t)) > start.value * (1 + 1e-10)

    def point(self, t):
        """Return the `Point` at t, which takes the evaluation over."""
        evaluation, self._last = self._evaluation(t), (None, None)
        return self.start.moved(t * self.D, t * self._tangent, evaluation)
