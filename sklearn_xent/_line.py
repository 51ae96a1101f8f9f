"""The objective along a direction: what a line search asks, at no pass a trial."""

from dataclasses import dataclass

import numpy as np

from sklearn_xent._threads import SUM

RISEN = 1 + 1e-10  # times an objective is above it beyond rounding


@dataclass(eq=False)
class Evaluation:
    """Residuals at some scores, their weighted sum, and the sum of the curvatures.

    Numbers of which there is one a row are what a fit of few columns takes beside X, so that a line borrows the residuals
    of the place where it starts: they are None from then on, and made again if they are asked for (`Point.residuals`).
    """

    residuals: np.ndarray | None
    balance: np.ndarray
    total: object

    def lend(self):
        """Return the memory of the residuals, to be written over; None if it is lent already."""
        room, self.residuals = self.residuals, None
        return room


class Line:
    """The objective along ``W + t D``, the intercept following its tangent; nothing but `point`'s gradient costs a pass.

    Beside the scores where it starts it keeps their change U, and the residuals of its last trial.
    """

    def __init__(self, start, D, U, tangent):
        self.start, self.D = start, D
        self._U, self._tangent = U, tangent
        self._last = (None, None)  # the last t and its evaluation: accepting it is free

    def _evaluation(self, t):
        last, known = self._last
        if last != t:
            room = self.start.lend() if known is None else known.lend()
            self._last = (t, self.start.objective.evaluate(lambda rows, out: self._scores(rows, t, out), room))
        return self._last[1]

    def _scores(self, rows, t, out=None):
        change = self._U[rows] if t == 1 else np.multiply(self._U[rows], t, out=out)
        return np.add(self.start.scores(rows), change, out=out)

    def slope(self, t):
        """Derivative of the objective at t; with an l1 penalty, from the left (at 0: from the right)."""
        start, objective = self.start, self.start.objective
        if t == 0:
            return float(np.vdot(start.loss_gradient, self.D)) + objective.penalty.slope(start.W, self.D, 0)
        weights, residuals = objective.weights, self._evaluation(t).residuals

        def of_block(rows):
            return np.vdot((weights[rows] * residuals[rows]).T, self._U[rows].T)

        loss = sum(objective.over_rows(of_block, each=4 * SUM * len(self.D)))
        return float(loss) + objective.penalty.slope(start.W, self.D, t)

    def rises(self, t):
        """Whether the objective at t is above where the line starts, beyond rounding."""
        start, residuals = self.start, self._evaluation(t).residuals
        value = start.objective.value(start.W + t * self.D, lambda rows: self._scores(rows, t), residuals)
        return value > start.value * RISEN

    def point(self, t):
        """Return the `Point` at t, where the line ends: its scores take the memory of their change."""
        evaluation, Z = self._evaluation(t), self._U
        self.start.objective.over_rows(lambda rows: self._scores(rows, t, out=Z[rows]), each=SUM * len(self.D))
        self._U, self._last = None, (None, None)
        return self.start.moved(t * self.D, t * self._tangent, Z, evaluation)
