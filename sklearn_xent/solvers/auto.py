"""The solver that chooses a solver."""

from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.newton import Newton
from sklearn_xent.solvers.newton_cg import NewtonCG
from sklearn_xent.solvers.subsampled_newton import SubsampledNewton


class Auto(Solver):
    """The best of the second-order solvers for the problem's shape and penalty.

    ===================================  ================================
    problem                              solver
    ===================================  ================================
    l1 penalty                           `Newton`, on a working set
    Hessian blocks of order up to 500    `Newton`
    larger blocks                        `NewtonCG`
    ===================================  ================================

    The order of a Hessian block is n_features; for softmax, n_features times n_classes. A Hessian that takes more memory
    than X (and a hundred megabytes) counts as larger.
    """

    def chosen(self, objective):
        small = objective.hessian_order <= 2500 and objective.small_hessian
        if small and objective.shape[1] <= 2 * objective.design.shape[0]:
            return SubsampledNewton()
        return NewtonCG() if objective.penalty.smooth else Newton()

    def minimise(self, objective, controls=None, start=None, random_state=None):
        """Minimise an objective with the solver chosen for it; see `Solver.minimise`."""
        return self.chosen(objective).minimise(objective, controls, start, random_state)
