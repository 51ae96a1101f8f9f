"""The place where solvers begin."""

from functools import cached_property

import numpy as np

from sklearn_xent._point import Point


class Origin(Point):
    """The place where all coefficients are zero, and the intercepts `b` of the best constant model are optimal.

    All rows have the same scores, so that one Gram matrix serves all entries of the curvatures.
    """

    def __init__(self, objective, b):
        self.objective, self.W, self.b = objective, np.zeros(objective.shape), b

    @cached_property
    def _Z(self):
        return np.broadcast_to(self.b, (len(self.objective.weights), len(self.b)))

    @cached_property
    def _evaluation(self):
        return self.objective.evaluate(lambda rows, _: self._Z[rows])

    def _of_first_row(self):
        """Loss of the first row, its scores and its residuals."""
        loss, Z = self.objective.loss.rows(slice(0, 1)), self._Z[:1]
        return loss, Z, loss.residuals(Z)

    @cached_property
    def value(self):
        objective = self.objective
        if objective.fit_intercept:
            return objective.constant_value
        loss, Z, residuals = self._of_first_row()  # at scores of zero all rows have the same losses
        return float(np.sum(objective.weights.sum(axis=0) * loss.values(Z, residuals)))

    def _grams(self):
        objective, weights = self.objective, self.objective.weights
        loss, _, residuals = self._of_first_row()
        entries = loss.curvature(np.ones_like(weights[:1]), residuals).entries()[0]
        gram, cross = objective.gram(lambda rows: weights[rows], weights.shape[1])
        return entries[:, None, None] * gram, entries[:, None] * cross

    def curved_moments(self):
        """As `Point.curved_moments`; reads no data."""
        objective = self.objective
        if objective.weights.shape[1] > 1:  # tasks weigh the rows in their own ways
            return super().curved_moments()
        loss, _, residuals = self._of_first_row()
        curvature = loss.curvature(np.ones((1, 1)), residuals).diagonal()[0][:, None]
        return tuple(curvature * sums for sums in objective.centred_sums)

    def factors(self):
        """As `Point.factors`; coupled outputs come apart."""
        return self.averaged_factors() if self.objective.coupled else super().factors()
