"""The Hessian at a point as an operator: a product with it costs one pass over the rows."""

import numpy as np


class HessianOperator:
    """Hessian of loss and ridge at a point, the intercept profiled out.

    Parameters
    ----------
    point : Point

    Attributes
    ----------
    diagonal : ndarray of shape (n_outputs, n_features)
        At a fixed intercept: what conjugate gradients divide by.
    """

    def __init__(self, point):
        self.point, objective = point, point.objective
        first, second = point.curved_moments()
        self._drift = first * objective.scale  # what the weighted residuals' sums change by with each coefficient
        level = point.curvature.diagonal().sum(axis=0) / objective.row_weight.sum()
        least = 1e-8 * np.outer(level, objective.second_moment)  # a difference of sums may have cancelled
        self.diagonal = np.maximum(second * np.square(objective.scale), least) + objective.penalty.l2

    def product(self, V):
        """Hessian times `V` (n_outputs, n_features)."""
        objective = self.point.objective
        product = self._bent_back(V)  # changes of residuals that sum to zero: `pull_back` would centre in vain
        product *= objective.scale
        product += objective.penalty.l2 * V
        return product

    def _bent_back(self, V):
        """``X.T`` times the change of the weighted residuals along V.

        Where the intercept's tangent is known beforehand, rows are read both ways while they are at hand. For coupled outputs
        that would take sums of the columns for each pair of them: theirs is taken from the scores.
        """
        point, objective = self.point, self.point.objective
        if objective.coupled:
            return objective.design.tdot(point.bend(objective.scores(objective.design, V)))
        tangent, curvature = point.tangent(np.einsum("kj,kj->k", V, self._drift)), point.curvature
        return objective.there_and_back(V, tangent, lambda rows, U: curvature.rows(rows).apply(U))
