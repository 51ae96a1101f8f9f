"""Truncated Newton: the Hessian as an operator."""

import numpy as np

from sklearn_xent._checks import check_integer
from sklearn_xent._costs import Costs
from sklearn_xent._minimise import Status
from sklearn_xent._model import FactoredModel, ImplicitModel
from sklearn_xent._operator import HessianOperator
from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.newton import check_memory, newton_iterations
from sklearn_xent.solvers.subsampled_newton import SubsampledNewton

WORTH_PASSES = 8  # an averaged Hessian may cost as much
ENOUGH = 0.75  # of the tolerance: what a step aims at, its gradient being what the model says only nearly


class NewtonCG(Solver):
    """Newton with conjugate gradients: the Hessian stays an operator, so many features cost only passes.

    Preconditioned by the Hessian's diagonal; for softmax, once products have cost as much and where it costs a few, by the
    Hessian averaged over the rows (`Point.averaged_factors`). The forcing term ``min(1/4, sqrt(r), 10 r + 1e-3)``, r the
    gradient norm beside the first, keeps early steps cheap and late steps fast (Dembo, Eisenstat & Steihaug 1982; Nocedal &
    Wright 2006, section 7.1), and a step ends where its gradient promises a gap within the tolerance. With an l1 penalty,
    proximal Newton on a working set.

    Parameters
    ----------
    max_inner : int, default=500
        Most conjugate-gradient steps of one iteration; each is one pass.
    max_passes : int or None, default=None
        Passes after which `SubsampledNewton`, whose price does not depend on how columns are correlated, goes on from
        there; None: never.
    """

    def __init__(self, max_inner=500, max_passes=None):
        self.max_inner, self.max_passes = max_inner, max_passes

    def check_params(self):
        check_integer("max_inner", self.max_inner, 1)
        if self.max_passes is not None:
            check_integer("max_passes", self.max_passes, 1)

    def _run(self, point, monitor, random_state):
        objective = point.objective
        if self.max_passes is not None:  # an error after these passes would lose them
            check_memory(self, "newton-cg", objective.hessian_numbers)
        first, smooth, averaged = [], objective.penalty.smooth, _Averaged(objective)
        allowed = np.inf if self.max_passes is None else objective.n_passes + self.max_passes

        def spent():
            return objective.n_passes >= allowed

        def enough(residual):
            return monitor.certificate.expects(residual) <= ENOUGH * monitor.target or spent()

        def build(place):
            operator = HessianOperator(place)
            size = _norm(place.gradient, operator.diagonal)
            first.append(size)
            ratio = size / first[0] if first[0] > 0 else 0.0
            accuracy = min(0.25 if smooth else 0.01, np.sqrt(ratio), 10 * ratio + 1e-3)
            return ImplicitModel(operator, accuracy, self.max_inner, enough, averaged.at(place))

        newton_iterations(point, monitor, build, spent)
        if spent() and monitor.status == Status.STALLED:
            monitor.go_on()
            SubsampledNewton()._run(monitor.best, monitor, random_state)


class _Averaged:
    """Solves with the Hessian averaged over the rows: made, and made anew, when products have taken as long as that takes.

    It saves half of an iteration's products and more.

    Parameters
    ----------
    objective : Objective
    """

    def __init__(self, objective):
        costs, n_rows, (n_outputs, n_features) = Costs(objective), objective.design.shape[0], objective.shape
        price = costs.averaged_hessian(n_rows) / costs.one_pass(n_rows)
        small = objective.affords(n_outputs * n_features**2)
        self.price = price if costs.averages and small and price < WORTH_PASSES else np.inf
        self.solve, self.made = None, objective.n_passes

    def at(self, point):
        """Return a function that solves, nearly; None where there is none yet, or where it would leave directions out."""
        n_passes = point.objective.n_passes
        if n_passes - self.made >= self.price:
            model = FactoredModel.averaged(point)
            regular = all(factor.regular(point.live) for factor in model.factors)  # or what it lost in rounding stays as it is
            self.solve, self.made = model.solve if regular else None, n_passes
        return self.solve


def _norm(gradient, diagonal):
    """Norm of a gradient in the metric of the diagonal preconditioner."""
    used = diagonal > 0
    return float(np.sqrt(np.sum(np.square(gradient[used]) / diagonal[used])))
