"""Newton with the Hessian of a sample, corrected on the way."""

from copy import copy
from typing import NamedTuple

import numpy as np

from sklearn_xent._certificate import SampledDual
from sklearn_xent._checks import check_integer
from sklearn_xent._costs import SAMPLE_ACCURACY, Costs
from sklearn_xent._minimise import Controls, Monitor, Status, iterate
from sklearn_xent._model import ExplicitModel, FactoredModel
from sklearn_xent._reductions import few, likely, places_among, sample, working_set
from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.newton import CLOSE, advance, certify, check_memory, close, proximal_direction

SPARE = 3e6  # nanoseconds that digits beyond the tolerance may cost
FURTHER_STEPS = 4  # two that follow a new Hessian as well, and two that corrections save as they get better
IN_VAIN = 2  # iterations without a gain, from which on corrections only harm: differences of gradients are lost in rounding
CHEAP = 0.1  # a Hessian that costs less than this share of a pass is made anew in every iteration


class SubsampledNewton(Solver):
    """Newton with the Hessian of a sample of the rows, corrected by every gradient that is seen: about ten passes.

    Solves the sample's problem (which may take a sample of its own), factors its Hessian at its optimum, and starts from
    there on all rows with that Hessian, BFGS updates correcting it: each iteration is one pass. For many classes, whose
    Hessian is dear, one averaged over the sample's rows comes first (`Point.averaged_factors`). A Hessian is formed
    anew, first the sample's, then from all rows, where that costs less than the iterations it saves. The sample is
    stratified by class. With an l1 penalty, the corrected Hessian is the model of a proximal Newton method (Lee, Sun &
    Saunders 2014); where few of many columns can matter, their problem is solved in a copy of these between two gradients
    of all. Iterations on a sample or in a copy are neither counted nor in the history.

    Roosta-Khorasani & Mahoney (2019), "Sub-sampled Newton methods", Mathematical Programming 174, for the idea; Byrd, Chin,
    Neveitt & Nocedal (2011), SIAM J. Optimization 21, for sampled Hessians inside L-BFGS.

    Parameters
    ----------
    sample_size : int or None, default=None
        Rows of the sample; None: chosen by the model of costs in `sklearn_xent._costs`, and no sample where none pays.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> X, y = make_classification(20_000, 50, random_state=0)
    >>> classifier = CrossEntropyClassifier(solver="subsampled-newton").fit(X, y)
    >>> classifier.status_, classifier.n_passes_ < 12
    ('converged', True)
    """

    def __init__(self, sample_size=None):
        self.sample_size = sample_size

    def check_params(self):
        if self.sample_size is not None:
            check_integer("sample_size", self.sample_size, 1)

    def _run(self, point, monitor, random_state):
        check_memory("subsampled-newton", "newton-cg", point.objective.hessian_numbers)
        costs = Costs(point.objective)
        found = self._sampled(point, costs, monitor.target)
        descent = _Descent(found, monitor, costs)
        start = [_start(point, found, descent)]
        del point, found  # what is one number a row, or a sample of the rows, is dropped as soon as it has served
        _iterate(start.pop, descent)

    def _sampled(self, point, costs, target):
        """Return what the optimum of a sample's problem tells."""
        objective = point.objective
        n_rows, target = objective.design.shape[0], max(target, 1e-14)
        if self.sample_size is None:
            plan = costs.plan(n_rows, objective.constant_value, target)
        else:
            plan = costs.sampled(n_rows, self.sample_size, objective.constant_value, target)
        if plan.n_sampled is None or plan.n_sampled >= n_rows:
            return _Found(point.W, point.b)
        part, rows = sample(objective, plan.n_sampled)
        enough = SAMPLE_ACCURACY * costs.excess(plan.n_sampled)
        monitor = Monitor(part, Controls(tol=0, max_iter=50), self._patience)
        start = _moved(point, part)
        found = SubsampledNewton()._sampled(start, costs, enough)
        descent = _Descent(found, monitor, costs, enough)
        _iterate(lambda: start if found.model is None else part.at(found.W, found.b), descent)
        best = monitor.best
        model = FactoredModel.averaged(best) if plan.averaged else _model(best)
        return _Found(best.W, best.b, model, SampledDual(rows, best), best if plan.averaged else None, few(best))


class _Found(NamedTuple):
    """What a sample tells of all rows: where to start, a Hessian, what may prove that a point is good enough.

    `place` is the sample's optimum, where its own Hessian can be had if the one given, averaged, turns out too far off;
    `columns` are those that may matter, if they are few.
    """

    W: np.ndarray
    b: np.ndarray
    model: object = None
    dual: SampledDual | None = None
    place: object = None
    columns: np.ndarray | None = None


def _moved(point, objective):
    """Return the place of a point in another objective; at the origin that needs no pass."""
    return objective.at(point.W, point.b) if point.W.any() else objective.origin()


def _model(point):
    return FactoredModel.at(point) if point.objective.penalty.smooth else ExplicitModel.at(point, likely(point))


def _start(point, found, descent):
    """Return the point that a sample found, if one was asked, or the one given where that is better."""
    if found.model is None:
        return point
    if found.columns is None:
        place = point.objective.at(found.W, found.b)
    else:
        place = descent.of_few(point, found.columns, lambda columns, part: part.at(found.W[:, columns], found.b))
    return min(place, point, key=lambda place: place.value)


def _iterate(start, descent):
    """Run from the point ``start()`` until the monitor stops it or no step is worth it."""
    monitor = descent.monitor
    iterate(start(), descent.step, monitor)
    spare = descent.costs.one_pass(monitor.objective.design.shape[0]) < SPARE
    if spare and descent.own and monitor.status == Status.CONVERGED and monitor.best_gap > 1e-6 * monitor.target:
        model = _model(monitor.best) if descent.price < 1 else descent.model
        close(monitor, _direction(monitor.best, model)[0])


class _Descent:
    """Steps to the minimiser of a model that is corrected after each, and replaced when it is too far off.

    Parameters
    ----------
    found : _Found
        What to begin with; a model that is None has yet to be made.
    monitor : Monitor
    costs : Costs
    enough : float, default=0
        Decrease that is not worth a step.
    """

    def __init__(self, found, monitor, costs, enough=0.0):
        self.monitor, self.costs, self.enough = monitor, costs, enough
        self.model, self.dual, self.place = found.model, found.dual, found.place
        self.dual_model = copy(self.model)
        self.own = False  # whether the model's Hessian is of this problem
        self.unproven = 0  # how often the sample was asked for a proof in vain
        self.copy = None  # a few columns, and the objective of these
        self.before = None  # coefficients and gradient of the last point, and the squared length of the step from it

    @property
    def price(self):
        """Of the next Hessian, in passes."""
        n_rows = self.monitor.objective.design.shape[0]
        of_rows = n_rows if self.place is None else self.place.objective.design.shape[0]
        return self.costs.hessian(of_rows) / self.costs.one_pass(n_rows)

    def step(self, point):
        """Return the next point; None if there is no way down."""
        due = self.model is None or (self.before is not None and self.place is None and self.price < CHEAP)
        renewed = due and self._renew(point)
        if not due and self.before is not None:
            W, gradient, _ = self.before
            self.model.learn(point.W - W, point.smooth_gradient - gradient)
        D, length = _direction(point, self.model)
        if not renewed and self._stale(length):
            renewed = self._renew(point)
            D, length = _direction(point, self.model)
        if length / 2 < self.enough:
            return None
        if self._proven(point, length):
            return None
        if renewed and self.price < 1 and point.objective.penalty.smooth:
            certify(point, self.model, length, self.monitor)
        following = self._advance(point, D, length)
        while following is None and not renewed:
            renewed = self._renew(point)
            following = self._advance(point, *_direction(point, self.model))
        return following

    def _proven(self, point, length):
        """Whether the sample proves that the point is good enough; asked where that is likely."""
        monitor = self.monitor
        penalised = monitor.certificate.penalised
        if self.dual is None or len(monitor.certificate.free) or self.dual.promises(length, point.objective) > monitor.target:
            return False
        D, _ = _direction(point, self.dual_model, accuracy=1e-12)
        monitor.refine(point, self.dual.gap(point, D, penalised))
        self.unproven += monitor.status is None
        return monitor.status is not None

    def of_few(self, point, columns, start):
        """Return the optimum of the problem in a few columns; the others' coefficients are zero.

        A copy of these costs little more than one product with all. ``start(columns, part)`` is a place in it.
        """
        columns, part = self._copy(columns)
        monitor = Monitor(part, Controls(tol=0, max_iter=50), self.monitor.patience)
        descent = _Descent(_Found(None, None, self.model.restrict(columns)), monitor, Costs(part), self._little)
        _iterate(lambda: start(columns, part), descent)
        return point.with_part(columns, monitor.best)

    def _copy(self, columns):
        """Return the last copy's columns, if it has those given, and its objective; or else those and a new one."""
        last, self.copy = self.copy, None  # one at a time
        if last is None or places_among(columns, last[0]) is None:
            del last
            last = columns, self.monitor.objective.restrict(columns)
        self.copy = last
        return last

    @property
    def _little(self):
        """Decrease that is not worth a step in a copy."""
        return max(self.enough, self.monitor.target / 4)

    def _advance(self, point, D, length):
        self.before = point.W, point.smooth_gradient, length
        columns = few(point)
        if columns is not None and length / 2 > self._little:
            return self.of_few(point, columns, point.restrict)
        self.copy = None
        return advance(point, D, self.model.flatness, longest=np.inf if point.objective.penalty.smooth else 1.0)

    def _renew(self, point):
        """Replace the model by the sample's Hessian if that is still to be had, or by the point's own; returns which."""
        self.copy = None
        if self.place is None:
            self.model, self.own = _model(point), True
            return True
        self.model, self.place = _model(self.place), None
        self.dual_model = copy(self.model)
        return False

    def _stale(self, length):
        """Whether the steps that are left at the rate of the last one cost more than with a new Hessian, or gain nothing."""
        if self.before is None:
            return False
        if self.monitor.idle >= IN_VAIN:
            return True
        if length <= 0:
            return False
        if self.place is not None and self.unproven > self.price:  # an averaged Hessian proves less than it promises
            return True
        if self.enough:
            excess = length / self.enough
        else:
            bound = self.monitor.gap if self.dual is None else self.dual.promises(length, self.monitor.objective)
            excess = max(length, bound) / max(self.monitor.target, 1e-300)
        return _remaining(self.before[-1] / length, excess) > self.price + FURTHER_STEPS


def _remaining(rate, excess):
    """How many iterations are left to shrink by the factor `excess`, at a factor `rate` each."""
    if excess <= 1:
        return 0.0
    return np.log(excess) / np.log(rate) if rate > 1 else np.inf


def _direction(point, model, accuracy=CLOSE):
    """Return the step to the model's minimiser, and its squared length in the model."""
    penalty = point.objective.penalty
    if penalty.smooth:
        D = model.solve(-point.gradient)
        return D, -float(np.vdot(point.gradient, D))
    columns = working_set(point)
    D = proximal_direction(point, columns, model.restrict(columns), accuracy)
    return D, max(float(np.vdot(D, model.product(D))), 0.0)
