"""The solver that chooses a solver."""

from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.compact_newton import CompactNewton, compact
from sklearn_xent.solvers.newton import Newton, rotates
from sklearn_xent.solvers.newton_cg import NewtonCG
from sklearn_xent.solvers.subsampled_newton import SubsampledNewton


class Auto(Solver):
    """The fastest solver for the problem's shape and penalty.

    ================================================================  ==================================
    problem                                                           solver
    ================================================================  ==================================
    no l1 penalty, and the Hessian of a copy in 0.6 milliseconds by   `CompactNewton`
    the model of costs (2,600 rows of 60 columns, two classes; of
    softmax in 1.2)
    Hessian blocks of order up to 2,500, no more than two columns a   `SubsampledNewton`
    row, up to 22 classes of a softmax or 250 tasks
    larger, with an l1 penalty                                        `Newton`, on a working set
    ridge, two columns a row and more, up to 2,000 rows               `Newton`: in the rows' coordinates, by
                                                                      what this table says there
    larger, without                                                   `NewtonCG`
    ================================================================  ==================================

    The order of a Hessian block is n_features; for softmax, n_features times n_classes. A Hessian that takes more memory
    than X (and a hundred megabytes) counts as larger.
    """

    def chosen(self, objective):
        if compact(objective):
            return CompactNewton()
        n_rows, n_features = objective.design.shape
        small = objective.hessian_order <= 2500 and objective.n_pairs <= 250 and objective.small_hessian
        if small and n_features <= 2 * n_rows:
            return SubsampledNewton()
        if not objective.penalty.smooth:
            return Newton()
        return Newton(row_solver=self) if rotates(objective) else NewtonCG()

    def minimise(self, objective, controls=None, start=None, random_state=None):
        """Minimise an objective with the solver chosen for it; see `Solver.minimise`."""
        return self.chosen(objective).minimise(objective, controls, start, random_state)
