"""How weighted residuals answer to a change of the scores, to first order: what a Hessian product does between two reads."""

import numpy as np

from sklearn_xent._threads import in_order, pass_by


class Bending:
    """Turns a change of the scores into the change of the residuals, a block of rows at a time, where it lies.

    First `bend`, of all blocks; then what `follow` returns, which moves the intercept to where the residuals sum to zero again.

    Parameters
    ----------
    curvature : SeparableCurvature or SoftmaxCurvature
        Of the rows.
    total : SeparableTotal or SoftmaxTotal, or None
        Its sum; None without an intercept.
    """

    def __init__(self, curvature, total):
        self.curvature, self.total = curvature, total
        self.drifts = {}  # what the residuals of each block sum to, by its start

    def bend(self, U, rows):
        """Turn the change `U` of the scores of some rows (a slice)."""
        U[rows] = self.curvature.rows(rows).apply(U[rows])
        self.drifts[rows.start] = U[rows].sum(axis=0)

    def follow(self):
        """Return the function of `U` and some rows that has the intercept follow."""
        if self.total is None:
            return pass_by
        tangent = -self.total.solve(in_order(self.drifts))

        def follow(U, rows):
            U[rows] += self.curvature.rows(rows).apply(np.broadcast_to(tangent, U[rows].shape))

        return follow
