"""Newton-Raphson with the exact Hessian."""

import numpy as np

from sklearn_xent._certificate import Certificate, factored_gap
from sklearn_xent._costs import Costs
from sklearn_xent._minimise import Controls, Status, iterate, line_search
from sklearn_xent._model import ExplicitModel, FactoredModel, ImplicitModel, minimise_model
from sklearn_xent._operator import HessianOperator
from sklearn_xent._reductions import Nest, Rotation, Screen, long_rows, places_among, working_set
from sklearn_xent.solvers._base import Solver

SHARE = 0.3  # of the gap of all columns, to which a working set's problem is solved
MOST_INNER = 10  # iterations for that
CLOSE, LOOSE = 1e-4, 1e-2  # factors by which the squared optimality violation of a model falls
CHORD = 4  # a step by the Hessian before shrinks the gap by about so many times the factor of the last step; measured: 2 to 10
MOST_ROTATED = 2_000  # rows whose inner products are decomposed
LARGEST_DENSE_GB = 5


class Newton(Solver):
    """Newton-Raphson: exact Hessian in row blocks, Cholesky, a line search that reads no data.

    Singular Hessians (collinear columns without penalty) take the minimum-norm step. With an l1 penalty, proximal Newton on
    a working set of columns (Lee, Sun & Saunders 2014, SIAM J. Optimization 24). Each iteration forms matrices of
    order n_features (times n_classes for softmax): for tall data with up to a thousand or so. A ridge of up to 2,000 rows
    and more than two columns a row is solved in the coordinates of its rows.

    Parameters
    ----------
    row_solver : Solver or None, default=None
        What solves the problem in the coordinates of its rows; None: Newton. `Auto` puts itself here.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> from sklearn_xent.solvers import Newton
    >>> X, y = load_iris(return_X_y=True)
    >>> CrossEntropyClassifier(solver=Newton()).fit(X, y).status_
    'converged'
    """

    def __init__(self, row_solver=None):
        self.row_solver = row_solver

    def check_params(self):
        if not isinstance(self.row_solver, Solver | None):
            raise TypeError(f"row_solver must be a solver of sklearn_xent.solvers or None; got {self.row_solver!r}.")

    def _run(self, point, monitor, random_state):
        objective = point.objective
        if rotates(objective):
            start = _rotated(objective, monitor, self.row_solver or Newton(), random_state)
            newton_iterations(start, monitor, _operator)
            return
        if objective.penalty.smooth:
            check_memory("newton", "newton-cg", objective.hessian_numbers)
        newton_iterations(point, monitor, FactoredModel.at if objective.penalty.smooth else _proximal_model)


def rotates(objective):
    """Whether the problem is a smaller one in the coordinates of its rows."""
    (n_rows, n_features), penalty = objective.design.shape, objective.penalty
    return (
        penalty.smooth
        and 2 * n_rows < n_features
        and n_rows <= MOST_ROTATED
        and bool(np.all(penalty.l2[objective.scale > 0] > 0))
    )


def _rotated(objective, monitor, solver, random_state):
    """Return the optimum that a solver finds in the coordinates of the rows.

    Its iterations are the fit's own: in the history, for callbacks.
    """
    rotation, given = Rotation(objective), monitor.controls
    watch = given.watch and (lambda place: given.watch(lambda: rotation.lift(*place())))
    controls = Controls(given.tol / 10, monitor.max_iter - 1, given.verbose, watch)
    solution = solver.minimise(rotation.objective, controls, random_state=random_state)
    point = rotation.back(solution.coef, solution.intercept)
    monitor.resume(solution)
    if solution.interruption:
        monitor.accept(point)
        raise solution.interruption
    return point


def _operator(point):
    return ImplicitModel(HessianOperator(point), accuracy=0.01, max_iter=500)


def _proximal_model(point):
    """Explicit where that is worth the passes that products with an operator would cost."""
    objective = point.objective
    costs, n_rows = Costs(objective), objective.design.shape[0]
    cheap = objective.small_hessian and costs.hessian(n_rows) < objective.design.usual_products * costs.one_pass(n_rows)
    return ExplicitModel.at(point) if cheap else _operator(point)


def check_memory(solver, alternative, numbers):
    """Raise unless a dense Hessian of so many numbers can reasonably be held."""
    size = 8e-9 * numbers
    if size > LARGEST_DENSE_GB:
        raise ValueError(
            f"solver={solver!r} would work with a dense Hessian of {size:.0f} GB here; "
            f"use solver={alternative!r} or 'auto' for this many features."
        )


def newton_iterations(point, monitor, build, spent=lambda: False):
    """Run Newton's method until the monitor stops it; with an l1 penalty, proximal Newton on a working set.

    Parameters
    ----------
    point : Point
        The start.
    monitor : Monitor
    build : callable
        Makes the quadratic model of a point.
    spent : callable, optional
        Whether to give up, asked before each step: the run counts as stalled.
    """
    if not point.objective.penalty.smooth:
        step = _WorkingSets(build, monitor).step
        iterate(point, lambda place: None if spent() else step(place), monitor)
        return
    model = None

    def step(point):
        nonlocal model
        if spent():
            return None
        model = build(point)
        D = model.solve(-point.gradient)
        if model.exact:
            certify(point, model, -float(np.vdot(point.gradient, D)), monitor)
        return advance(point, D, model.flatness)

    iterate(point, step, monitor)
    if monitor.status == Status.CONVERGED and model is not None and model.exact:
        close(monitor, model.solve(-monitor.best.gradient))


def certify(point, model, squared, monitor):
    """Bound the optimum from below by a model of the point itself, if its step is as short as the tolerance asks for.

    What follows the point is no further from the optimum: one iteration less than waiting for its dual gap.
    """
    if squared / 2 <= monitor.target < monitor.gap:
        monitor.raise_floor(point.value - factored_gap(point, model.factors))


def close(monitor, D):
    """Take a chord step: the last model once more, at the price of a pass, for the digits beyond the tolerance."""
    point = monitor.best.along(D).point(1.0)
    monitor.refine(point, monitor.certificate.gap(point))


class _WorkingSets:
    """Proximal Newton on working sets of columns: a step, or many where those cost little beside a pass.

    Many solve the working set's problem to a share of the gap that is left (Johnson & Guestrin 2015, "Blitz", section 4). The
    first is a chord step, by the last Hessian once more, where that is at hand and likely to reach the target.

    Parameters
    ----------
    build : callable
        Makes the quadratic model of a point.
    monitor : Monitor
    """

    def __init__(self, build, monitor):
        self.build, self.monitor = build, monitor
        self.nest = Nest(monitor.objective)
        self.screen = Screen(self.nest)
        self.model, self.columns = None, None  # the last Hessian, if exact, and its columns
        self.gap = np.inf  # before the last step

    def step(self, point):
        """Return a better point; None if there is no way down."""
        columns, monitor = self.nest.around(working_set(point)), self.monitor
        if len(columns) == 0:
            return None
        before, self.gap = self.gap, monitor.gap
        accuracy = forcing(monitor.gap, before, monitor.target)
        self._turn_to(columns, likely=CHORD * monitor.gap**2 < monitor.target * before)
        part = place = point.restrict(columns, self.nest.restrict(columns))
        many = len(columns) < point.objective.shape[1] and long_rows(point.objective.design)
        enough = max(SHARE * monitor.gap, monitor.target / 2)
        certificate = Certificate(part.objective, enough)
        for _ in range(MOST_INNER if many else 1):
            following = _proximal_step(place, self.model) if place is part and self.model else None
            if following is None:
                following = self._newton_step(place, accuracy)
            if following is None:
                break
            place = following
            if many and certificate.gap(place) <= enough:
                break
        if place is part:
            return None
        whole = point.with_part(columns, place)
        self.screen.look(whole)
        return whole

    def _turn_to(self, columns, likely):
        """Keep the last Hessian of these columns, if it has them and a chord step is likely to reach the target."""
        places = places_among(columns, self.columns) if likely and self.model else None
        self.model = None if places is None else self.model.restrict(places)
        self.columns = columns

    def _newton_step(self, point, accuracy):
        """Return the point that a step by a new Hessian leads to, which is kept; the one before is dropped first.

        A model whose products cost passes is minimised to the `accuracy` given, others closely.
        """
        self.model = None
        model = self.build(point)
        self.model = model if model.exact else None
        return _proximal_step(point, model, CLOSE if model.exact else accuracy)


def forcing(gap, before, target):
    """How far a model is minimised: no further than the next step is likely to gain, or than the target asks for.

    The square of the factor by which the last step shrank the gap (Eisenstat & Walker 1996, "Choosing the forcing terms in
    an inexact Newton method", SIAM J. Scientific Computing 17, choice 2, for squared norms). Where a gap is slow to tell how
    near the optimum is, which is so under a weak penalty, models are minimised loosely throughout.
    """
    shrunk = gap / before if before < np.inf else 1.0
    return min(max(shrunk**2, target / (10 * gap), CLOSE), LOOSE)


def _proximal_step(point, model, accuracy=CLOSE):
    return advance(point, proximal_direction(point, slice(None), model, accuracy), model.flatness, longest=1.0)


def proximal_direction(point, columns, model, accuracy):
    """Return the step to the minimiser of a model of some columns (an index array or slice) with the l1 term.

    `accuracy` is the factor by which its squared optimality violation is to fall.
    """
    penalty, W = point.objective.penalty.restrict(columns), point.W[:, columns]
    step = minimise_model(model, point.loss_gradient[:, columns] + penalty.l2 * W, W, penalty.l1, accuracy)
    end = point.objective.loss.lightest(W + step, penalty.l1, penalty.l2)  # along a shift of all classes the loss is flat
    D = np.zeros_like(point.W)
    D[:, columns] = end - W
    return D


def advance(point, D, flatness, longest=np.inf):
    """Return the point that a line search along D accepts; None if there is no way down."""
    line = point.along(D)
    t = line_search(line, flatness, longest)
    return None if t is None else line.point(t)
