"""How far from the optimum, proven.

Weak duality: the residuals of any point, scaled by theta <= 1, are feasible for the dual problem (their weighted sum is zero,
because the intercept is profiled), so that primal minus dual objective bounds F(W) - F*. Written as sums of non-negative
Fenchel terms, one a coefficient, nothing cancels and the bound stays meaningful down to rounding. It costs no
pass: ``X.T @ residuals`` is the gradient.

In floating point the gradient is off by some e, of the size of rounding. It is then the exact one of ``F(x) + <e, x>``,
and so is the bound: of F it is off by ``<e, W - W*>``, which vanishes with the distance. That is less than the few units in
the last place of F which `Monitor` adds, together with what scores of offset columns lose (`Objective.lost_in_scores`)
and what the intercept does that is returned (`Objective.lost_in_lifting`).

Coefficients without a penalty (`C=inf`, or a penalty below rounding) have no dual bound. There, and wherever a Hessian is at
hand, self-concordance bounds the distance: along a step that moves no row's log-odds by more than r, the curvature falls
by a factor exp(r) at most (Bach 2010, "Self-concordant analysis for logistic regression", Electronic Journal of
Statistics 4). The bound needs a Newton step that is short in that sense, and a gradient without a part in directions whose
curvature is lost in rounding (`SemiDefinite.norms`); elsewhere the gap is inf.
"""

from functools import cached_property
from itertools import chain

import numpy as np

from sklearn_xent._costs import DRAW, Costs
from sklearn_xent._linalg import EPS, LOST
from sklearn_xent._reductions import draw
from sklearn_xent._threads import in_threads, row_blocks

MOST_EXPLICIT = 2500  # order up to which a Hessian block is formed for its bound
PART, ROWS_A_COLUMN = 16, 20  # a sixteenth of the rows has curvature enough, if it has so many a column
LEAST_PATIENCE = 4  # passes: few iterations near the optimum gain many digits
BEYOND = 100.0  # move from which on the old curvature tells nothing
FAR = 1.0  # move of a row's log-odds from which on curvature is computed anew
LONG_RUN = 2**18  # numbers: handing over so many costs little beside copying them, and one thread copies them


def duality_gap(point, penalised):
    """Bound of the share of the penalised coefficients; each task (One-vs-Rest) has its own dual problem.

    Parameters
    ----------
    point : Point
    penalised : ndarray of bool of shape (n_features,)
        Which columns these are.

    Returns
    -------
    float
    """
    if not penalised.any():
        return 0.0
    return _dual_gap(point, -point.loss_gradient, penalised, point.scaled_dual_cost) if point.dual_feasible else np.inf


def _dual_gap(point, U, penalised, cost):
    """Bound by the dual point of ``U = X.T @ residuals``; scaling it by theta of each task costs ``cost(theta)``."""
    penalty, W = point.objective.penalty, point.W
    columns = np.flatnonzero(penalised if penalty.smooth else penalised & penalty.felt(W, U).any(axis=0))
    if len(columns) < W.shape[1]:
        penalty, W, U = penalty.restrict(columns), W[:, columns], U[:, columns]
    shape = (point.objective.loss.n_tasks, W.shape[0] // point.objective.loss.n_tasks, len(columns))  # Softmax: one task
    W, U = W.reshape(shape), U.reshape(shape)

    plain = _fenchel_sum(penalty, W, U) if (penalty.l2 > 0).all() else np.inf
    if penalty.smooth:
        return float(np.sum(plain))
    theta = _feasible_scaling(penalty, U)
    shrunk = _fenchel_sum(penalty, W, theta[:, None, None] * U)
    if (theta < 1).any():
        shrunk = shrunk + cost(theta)
    return float(np.sum(np.minimum(shrunk, plain)))


def _fenchel_sum(penalty, W, U):
    return penalty.fenchel_gap(W, U).sum(axis=(1, 2))


def _feasible_scaling(penalty, U):
    """Largest theta <= 1 of each task with ``theta |U| <= l1``; columns without an l1 penalty ask for nothing."""
    with np.errstate(over="ignore"):
        excess = np.divide(np.abs(U), penalty.l1, out=np.zeros_like(U), where=penalty.l1 > 0)
    return 1 / excess.max(axis=(1, 2), initial=1.0)


class SampledDual:
    """Dual points that differ from a point's residuals in the rows of a sample only: tight, however weak the penalty.

    The sample's curvature tells how its rows' residuals have to move for the gradient to vanish. Moved so, they are
    feasible all the same, and their bound is the divergence of the moved residuals from the point's own: near the
    optimum ``n_samples / n_sampled`` times the true distance. It takes two reads of the sample's rows, and assumes
    nothing of them: a poor sample, or directions by a Hessian that is not quite the sample's, make a loose bound.

    Parameters
    ----------
    rows : ndarray of int
        Indices of the sample's rows.
    place : Point
        Of the sample's objective, where the Hessian was formed that gives the directions, or one near it.
    """

    def __init__(self, rows, place):
        self.rows, self.place = rows, place.without_data()

    def promises(self, squared, objective):
        """What the bound will be about, from the squared Newton decrement at a point of the whole objective."""
        return squared / 2 * objective.design.shape[0] / len(self.rows)

    def gap(self, point, D, penalised):
        """Bound of ``F(point) - F*``, D being the direction in which the sample's model is at its least."""
        objective, weights = point.objective, point.objective.weights[self.rows]
        scores = np.concatenate(self._of_runs(point, lambda rows, part: objective.scores(part, D)))
        moved = self.place.bend(np.asfortranarray(scores))
        change = np.divide(moved, weights, out=np.zeros_like(moved), where=weights > 0)
        divergence = self.place.objective.loss.divergence(point.residuals(self.rows), change)
        U = -point.loss_gradient - sum(self._of_runs(point, lambda rows, part: objective.pull_back(part, moved[rows])))

        def cost(theta):
            """What shrinking loses at most: the dual's entropy is concave and zero at zero, so a share of the loss."""
            return (1 - theta) * point.value

        if not (point.dual_feasible and objective.balanced(moved.sum(axis=0))):
            return np.inf
        return float((weights * divergence).sum()) + _dual_gap(point, U, penalised, cost)

    def _of_runs(self, point, function):
        """Results of ``function(run, design)`` for runs (slices) of the sample's rows, which are copied, but not kept."""
        design = point.objective.design

        def of_runs(runs):
            return [function(run, design.rows(self.rows[run])) for run in runs]

        copying = len(self.rows) * design.size / design.shape[0] * DRAW
        return list(chain(*in_threads(of_runs, row_blocks(len(self.rows), design.shape[1], LONG_RUN), copying)))


def free_columns(objective):
    """Columns whose penalty is lost in rounding beside the curvature of the loss: no dual bound is of use there."""
    scale = objective.curvature_bound
    penalty = objective.penalty
    return (objective.scale > 0) & (penalty.l2 <= 1e-3 * EPS * scale) & (penalty.l1 <= 1e-11 * np.sqrt(scale))


def self_concordant_gap(squared, reach):
    """Bound of ``F(x) - F*`` from the squared Newton decrement at x, whatever the penalty.

    With ``r`` the distance in the metric of the Hessian and M the most that a unit of it moves a row's log-odds,
    self-concordance gives ``F(x) - F(y) <= decrement r - (exp(-M r) + M r - 1) / M²``. Its largest value over r is half
    the squared decrement times a factor of at most ``1 / (1 - M decrement)``; there is none unless ``M decrement < 1``.

    Parameters
    ----------
    squared : float
        ``gᵀ H⁻¹ g``, g a subgradient of the objective.
    reach : float
        M; see `Point.reach`.
    """
    short = reach * np.sqrt(max(squared, 0.0))
    return squared / (2 * (1 - short)) if short < 1 else np.inf


def hessian_gap(point):
    """Bound of ``F(point) - F*`` at the price of a Hessian; inf where that is too large to form or the point is too far."""
    return Curvature(point, slice(None)).gap(point) if explicit(point.objective) else np.inf


def explicit(objective):
    """Whether its Hessian may be formed for a bound."""
    return objective.hessian_order <= MOST_EXPLICIT and objective.small_hessian


def has_minimum(point, known=None):
    """Whether self-concordance proves that there is an optimum, gradients being off by rounding.

    Where classes are separated there is none, and far out neither slope nor curvature is left that rounding would not hide.
    A curvature that is `known` already, of a point nearby, is asked first.
    """
    if not explicit(point.objective):
        return False
    curvatures = chain([] if known is None else [known], _curvatures(point))
    return any(curvature.shows_minimum(point) for curvature in curvatures)


class Curvature:
    """The Hessian of some of the rows at a point, and what it proves of points nearby.

    The curvature of a part of the rows is a lower bound of that of all, and where no row's log-odds moved by more than s, it
    fell by a factor of exp(s) at most. Both make a decrement larger and the reach longer, which an iteration more makes up for:
    that costs a pass, where another Hessian would cost many.

    Parameters
    ----------
    point : Point
    rows : ndarray of int or slice
        Of all rows (a slice) the reach is exact, otherwise a bound.
    """

    def __init__(self, point, rows):
        whole = isinstance(rows, slice)
        part = point if whole else point.of_rows(rows)
        self.rows, self.whole = rows, whole
        self.scores, self.factors = point.scores(rows), part.factors()
        self.reach = part.reach(self.factors) if whole else part.reach_bound(self.factors, point.objective.longest)

    def distance(self, point):
        """How far any row's log-odds moved."""
        return float(np.max(point.objective.loss.spread(point.scores(self.rows) - self.scores)))

    def gap(self, point):
        """Bound of ``F(point) - F*``."""
        return self_concordant_gap(*self._seen_from(point))

    def shows_minimum(self, point):
        """Whether there is an optimum near the point."""
        squared, reach = self._seen_from(point)
        return reach * (np.sqrt(squared) + LOST * EPS * reach) < 1

    @property
    def near(self):
        """Half the squared decrement below which a look from another point is worth it: four times what the bound asks for."""
        return 2 / self.reach**2 if 0 < self.reach < np.inf else np.inf

    def _seen_from(self, point):
        """The squared decrement of a point, and the reach there; no less than they are."""
        distance = self.distance(point)
        if distance > BEYOND:
            return np.inf, np.inf
        loss = np.exp(distance)
        return loss * _squared_decrement(point, self.factors), np.sqrt(loss) * self.reach


def _curvatures(point):
    """Curvature at a point: of a part of the rows, if that is less, and of all."""
    rows = _part(point.objective)
    if not isinstance(rows, slice):
        yield Curvature(point, rows)
    yield Curvature(point, slice(None))


def _part(objective):
    """Rows whose curvature is enough to tell: a sixteenth of them, if those are many a column, or all."""
    n_rows, n_features = objective.design.shape
    n_part = max(n_rows // PART, ROWS_A_COLUMN * n_features)
    return slice(None) if 2 * n_part > n_rows else draw(objective, n_part)[0]


def factored_gap(point, factors):
    """Bound of ``F(point) - F*`` by the factored blocks of its Hessian."""
    return self_concordant_gap(_squared_decrement(point, factors), point.reach(factors))


def _squared_decrement(point, factors):
    gradients = point.gradient.reshape(len(factors), -1, 1)
    return sum(float(factor.norms(g)[0]) for g, factor in zip(gradients, factors, strict=True))


class Certificate:
    """The optimality gap of points of one objective, computed no more often than it can matter.

    Parameters
    ----------
    objective : Objective
    target : float
        The gap that is good enough.
    """

    def __init__(self, objective, target):
        self.target, self._objective = target, objective
        free = free_columns(objective)
        self.free = np.flatnonzero(free)  # few, if any
        self.penalised = (objective.scale > 0) & ~free  # most, if not all: a mask
        self.curvature, self._renew_below = None, np.inf
        self._patience_ends = 0.0  # at so many passes, if a part of the rows has not proven it by then, all rows have to

    def gap(self, point):
        """Bound of ``F(point) - F*``; inf where computing it could not change a decision."""
        if len(self.free) == 0:
            return duality_gap(point, self.penalised)
        hint = self._least_decrement(point)
        if hint > self.target or not explicit(self._objective):
            return np.inf
        if not self._outgrown() and (self.curvature is None or self.curvature.distance(point) > FAR):
            if hint > self._renew_below:
                return np.inf
            if self.curvature is None or self.curvature.whole:
                self._patience_ends = self._objective.n_passes + self._patience()
            self.curvature = Curvature(point, _part(self._objective))
        if self._outgrown():
            self.curvature = Curvature(point, slice(None))
        gap = self.curvature.gap(point)
        if gap > self.target > 0:  # the gap falls about as the hint does: compute another when it may suffice
            self._renew_below = min(hint * max(self.target / gap, 0.1), self.curvature.near if gap == np.inf else np.inf)
        return gap

    def _outgrown(self):
        """Whether all rows are to tell now: a part of them never will, or did not in the time that was given to it."""
        known = self.curvature
        if known is None or known.whole:
            return False
        return known.reach == np.inf or self._objective.n_passes >= self._patience_ends

    def _patience(self):
        """How many passes a part of the rows may ask for.

        What it tells is looser, and asks for a closer point: until the passes for that have cost as much as the curvature of
        all rows would. Where an iteration costs its passes, that is at most twice what the better of the two would have cost.
        """
        costs, design = Costs(self._objective), self._objective.design
        return design.share * max(costs.proof(design.shape[0]) / costs.one_pass(design.shape[0]), LEAST_PATIENCE)

    def expects(self, gradient):
        """The gap, nearly, of a point of this gradient where all columns have a ridge penalty and no other; inf elsewhere."""
        if len(self.free) or not self._objective.penalty.smooth:
            return np.inf
        return float(np.dot(np.square(gradient), self._flexibility).sum()) / 2

    @cached_property
    def _flexibility(self):
        """What a ridge penalty divides squared gradients by, inverted; zero for columns that are constant."""
        l2 = self._objective.penalty.l2
        return np.divide(1, l2, out=np.zeros_like(l2), where=self.penalised)

    def final(self, point):
        """Bound of ``F(point) - F*``, computed whatever it costs."""
        return hessian_gap(point) if len(self.free) else duality_gap(point, self.penalised)

    def _least_decrement(self, point):
        """No larger than half the squared decrement: the best that one coordinate promises under the largest curvature."""
        bound = point.objective.curvature_bound[self.free] + point.objective.penalty.l2[self.free]
        return float(np.max(np.square(point.gradient[:, self.free]) / bound)) / 2
