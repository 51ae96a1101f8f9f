"""Newton with the Hessian of a sample, corrected on the way."""

import numpy as np

from sklearn_xent._checks import check_integer
from sklearn_xent._costs import SAMPLE_ACCURACY, Costs
from sklearn_xent._minimise import Controls, Monitor, Status, iterate
from sklearn_xent._model import ExplicitModel, FactoredModel, minimise_model
from sklearn_xent._reductions import sample, working_set
from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.newton import advance, check_memory

CHEAP = 0.5  # a Hessian that costs less than this share of a pass is made anew in every iteration


class SubsampledNewton(Solver):
    """Newton with the Hessian of a sample of the rows, corrected by every gradient that is seen: about ten passes.

    Solves the sample's problem (which may take a sample of its own), factors its Hessian at its optimum, and starts from there on
    all rows with that Hessian, BFGS updates correcting it: each iteration is one pass. A Hessian is formed anew, from all
    rows, where that costs less than the iterations it saves. The sample is stratified by class. With an l1 penalty,
    the corrected Hessian is the model of a proximal Newton method (Lee, Sun & Saunders 2014).

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
        start, model = self._sampled(point, costs, monitor.target)
        _iterate(start, model, monitor, costs)

    def _sampled(self, point, costs, target):
        """Return where to start and the model to start with: a sample's optimum and its Hessian there."""
        objective = point.objective
        n_rows = objective.design.shape[0]
        size = self.sample_size or costs.plan(n_rows, objective.constant_value, max(target, 1e-14)).n_sampled
        if size is None or size >= n_rows:
            return point, None
        part = sample(objective, size)
        enough = SAMPLE_ACCURACY * costs.excess(size)
        monitor = Monitor(part, Controls(tol=0, max_iter=50), self._patience)
        start, model = SubsampledNewton()._sampled(_moved(point, part), costs, enough)
        _iterate(start, model, monitor, costs, enough)
        best = monitor.best
        return objective.at(best.W, best.b), _model(best)


def _moved(point, objective):
    """Return the place of a point in another objective; at the origin that needs no pass."""
    return objective.at(point.W, point.b) if point.W.any() else objective.origin()


def _model(point):
    return FactoredModel.at(point) if point.objective.penalty.smooth else ExplicitModel.at(point)


def _iterate(point, model, monitor, costs, enough=0.0):
    """Run until the monitor stops it or the model promises less than `enough`.

    The model to begin with is another problem's Hessian or (None) to be made.
    """
    n_rows = point.objective.design.shape[0]
    price = costs.hessian(n_rows) / costs.one_pass(n_rows)
    longest = np.inf if point.objective.penalty.smooth else 1.0
    before = None

    def stale(point, now):
        """Whether the iterations left at the rate of the last one cost more than Newton's with a new Hessian."""
        return before is not None and _remaining(before[1], now, max(monitor.target, enough)) > price + 2

    def step(point):
        nonlocal model, before
        if before is not None and price < CHEAP:
            model = None
        elif before is not None:
            model.learn(point.W - before[0].W, _smooth_gradient(point) - _smooth_gradient(before[0]))
        D, now = (None, np.inf) if model is None else _direction(point, model)
        if model is None or stale(point, now):
            model = _model(point)
            D, now = _direction(point, model)
        if now / 2 <= enough:
            return None
        before = (point, now)
        return advance(point, D, longest)

    iterate(point, step, monitor)


def _smooth_gradient(point):
    return point.loss_gradient + point.objective.penalty.l2 * point.W


def _remaining(before, now, target):
    """How many iterations are left at the rate of the last one."""
    if now >= before:
        return np.inf
    return np.log(max(now / max(target, 1e-300), 1.0)) / np.log(before / now)


def _direction(point, model):
    """Return the step to the model's minimiser, and its squared length in the model."""
    penalty = point.objective.penalty
    if penalty.smooth:
        D = model.solve(-point.gradient)
        return D, -float(np.vdot(point.gradient, D))
    columns = working_set(point)
    D = np.zeros_like(point.W)
    part = model.restrict(columns)
    D[:, columns] = minimise_model(part, _smooth_gradient(point)[:, columns], point.W[:, columns], penalty.l1[columns], accuracy=1e-4)
    return D, float(np.vdot(D, model.product(D)))
