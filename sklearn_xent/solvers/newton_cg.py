"""Truncated Newton: the Hessian as an operator."""

import numpy as np

from sklearn_xent._minimise import iterate, line_search
from sklearn_xent._model import ImplicitModel
from sklearn_xent.solvers._base import Solver
from sklearn_xent._checks import check_integer
from sklearn_xent.solvers.newton import proximal_step


class NewtonCG(Solver):
    """Newton with conjugate gradients: never forms a Hessian, so many features cost only passes.

    Preconditioned by the Hessian's approximate diagonal. The forcing term ``min(1/2, sqrt(|g| / |g_0|))`` keeps
    early steps cheap and late steps superlinear (Dembo, Eisenstat & Steihaug 1982; Nocedal & Wright 2006, section 7.1). With
    an l1 penalty, proximal Newton on a working set.

    Parameters
    ----------
    max_inner : int, default=500
        Most conjugate-gradient steps of one iteration; each is one pass.
    """

    def __init__(self, max_inner=500):
        self.max_inner = max_inner

    def check_params(self):
        check_integer("max_inner", self.max_inner, 1)

    def _run(self, point, monitor, random_state):
        first = []

        def step(point):
            size = _norm(point)
            first.append(size)
            accuracy = min(0.5, np.sqrt(size / first[0]), 10 * size / first[0] + 1e-3)
            if not point.objective.penalty.smooth:
                return proximal_step(point, lambda part: ImplicitModel(part, min(accuracy, 0.01), self.max_inner))
            line = point.along(ImplicitModel(point, accuracy, self.max_inner).solve(-point.gradient))
            t = line_search(line)
            return None if t is None else line.point(t)

        iterate(point, step, monitor)


def _norm(point):
    """Gradient norm in the metric of the diagonal preconditioner."""
    diagonal = point.hessian_diagonal
    used = diagonal > 0
    return float(np.sqrt(np.sum(np.square(point.gradient[used]) / diagonal[used])))
