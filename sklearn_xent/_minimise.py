"""The one loop, the one line search, and what they return."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sklearn_xent._certificate import Certificate
from sklearn_xent._collinear import minimum_norm

ROUNDING = 8 * np.finfo(float).eps
MOST_TRIALS = 40  # of a line search, before the last step that descended is taken


class Status(StrEnum):
    """How a solver ended."""

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    STALLED = "stalled"
    SEPARATED = "separated"
    INTERRUPTED = "interrupted"


@dataclass
class Solution:
    """Where a solver ended, in the units of the data.

    Attributes
    ----------
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    status : Status
    value, gap, target : float
        Objective, and optimality gap reached and asked for.
    n_iter : int
    n_passes : float
    history : dict of lists
    interruption : KeyboardInterrupt or None
        What ended the run early.
    point : Point
        The same place in the units it was found in.
    curvature : Curvature or None
        What was last asked to prove the gap, without a penalty.
    """

    coef: np.ndarray
    intercept: np.ndarray
    status: Status
    value: float
    gap: float
    target: float
    n_iter: int
    n_passes: float
    history: dict
    interruption: KeyboardInterrupt | None
    point: object
    curvature: object


@dataclass
class Controls:
    """What the caller allows: relative tolerance, iterations, whether to report each, and whom to ask whether to go on.

    `watch` is called after each iteration with a function that gives coefficients and intercepts in the units of the data; it
    returns whether to stop.
    """

    tol: float = 1e-8
    max_iter: int = 1000
    verbose: int = 0
    watch: Callable | None = None


class Monitor:
    """Watches a run: certifies points, keeps the best, records the history, decides when to stop.

    Parameters
    ----------
    objective : Objective
    controls : Controls
    patience : int
        Iterations without progress, in objective or gap, after which rounding is taken to have won.
    max_iter : int, optional
        The solver's own limit of iterations, beside the caller's.
    """

    def __init__(self, objective, controls, patience, max_iter=np.inf):
        self.objective, self.controls, self.patience = objective, controls, patience
        self.max_iter = min(max_iter, controls.max_iter)
        self.target = controls.tol * objective.constant_value
        self.certificate = Certificate(objective, self.target)
        self.status, self.gap, self.interruption = None, np.inf, None
        self.best, self.best_gap, self._best_at = None, np.inf, 0
        self.n_iter = -1
        self.history = {"objective": [], "gap": [], "passes": [], "seconds": []}
        self._lowest, self.idle = np.inf, 0
        self._floor = 0.0  # cross-entropy and penalty are never negative
        self._noted = 0  # how many iterates, the first ones, were not certified
        self._started = time.perf_counter()

    def accept(self, point):
        """Take note of the next iterate; returns whether to stop."""
        self.n_iter += 1
        self.gap = gap = self._gap(point)
        self._watch_progress(point, gap)
        self._record(point.value, gap)
        self._report()
        if self.controls.watch and self.controls.watch(lambda: self.objective.lift(point.W, point.b)):
            self.status = Status.INTERRUPTED
        elif gap <= self.target:
            self.status = Status.CONVERGED
        elif self.n_iter >= self.max_iter:
            self.status = Status.MAX_ITER
        elif self.idle >= self.patience:
            self.status = Status.STALLED
        return self.status is not None

    def note(self, value, place):
        """Take note of an iterate that is not certified: its gap will be what follows from the end's.

        `place()` gives its coefficients and intercepts in the objective's units. Returns whether only one more iterate is
        allowed; sets `status` if a callback asks to stop here.
        """
        self.n_iter += 1
        self._noted += 1
        self._record(value, self._above(value))
        self._report()
        if self.controls.watch and self.controls.watch(lambda: self.objective.lift(*place())):
            self.status = Status.INTERRUPTED
        return self.n_iter + 1 >= self.max_iter

    def raise_floor(self, value):
        """Take note that the objective is nowhere below `value`: whoever proves it, it holds for all points to come."""
        self._floor = max(self._floor, value)

    def _above(self, value):
        """How far an objective is above what is proven to be its floor, rounding included."""
        return max(value - self._floor, 0.0) + 2 * ROUNDING * value

    def _gap(self, point):
        above = self._above(point.value)
        if above <= self.target:
            return above
        gap = _rounded_up(self.certificate.gap(point), point)
        self.raise_floor(point.value - gap)
        return min(gap, above)

    def resume(self, solution):
        """Go on from a run on the same problem in other coordinates."""
        history, before = self.history, time.perf_counter() - self._started - solution.history["seconds"][-1]
        for name, values in solution.history.items():
            history[name] += [before + value for value in values] if name == "seconds" else values
        self.n_iter = len(history["gap"]) - 1
        self.status = solution.status if solution.status in (Status.MAX_ITER, Status.INTERRUPTED) else None

    def stall(self):
        """The method found no way down: that, or an exhausted budget, is how it ends."""
        self.status = self.status or Status.STALLED

    def go_on(self):
        """Another method takes over."""
        self.status, self.idle = None, 0

    def interrupt(self, interruption):
        """The user has had enough: the best point so far is the answer."""
        self.status, self.interruption = Status.INTERRUPTED, interruption
        lines = self.history.values()
        complete = min(map(len, lines))
        for values in lines:  # it may have come in the middle of a line
            del values[complete:]
        self.n_iter = complete - 1

    def refine(self, point, gap):
        """Offer a point or a bound that is better than the last; if so, it replaces the last line of the history."""
        gap = _rounded_up(gap, point)
        self.raise_floor(point.value - gap)
        gap = min(gap, self._above(point.value))
        if gap <= self.best_gap:
            self.best, self.best_gap, self._best_at = point, gap, self.n_iter
            for values in self.history.values():
                values.pop()
            self._record(point.value, gap)
        if gap <= self.target:
            self.status = Status.CONVERGED

    def solution(self):
        """The best point seen, certified."""
        objective, point = self.objective, self.best
        gap = self.best_gap
        if gap > self.target and not self.interruption:  # what was too dear for every iterate is worth it once
            gap = min(gap, _rounded_up(self.certificate.final(point), point))
        gap = min(gap, self._above(point.value))  # later points may have shown the floor
        gap += objective.lost_in_lifting(point.W)
        if gap <= self.target:
            self.status = Status.CONVERGED
        elif self.status == Status.CONVERGED:
            self.status = Status.STALLED
        gaps, values = self.history["gap"], self.history["objective"]
        for k in range(min(self._noted, len(gaps))):
            gaps[k] = min(gaps[k], self._above(values[k]))
        if self._best_at < len(gaps):  # an interrupt may have come before the best was written down
            gaps[self._best_at] = gap
        W, free = point.W.copy(), self.certificate.free
        W[:, free] = objective.loss.least_norm(W[:, free])
        coef, intercept = objective.lift(minimum_norm(objective, W, point.b), point.b)
        return Solution(
            coef=coef,
            intercept=intercept,
            status=self.status,
            value=point.value,
            gap=gap,
            target=self.target,
            n_iter=max(self.n_iter, 1),
            n_passes=objective.n_passes,
            history=self.history,
            interruption=self.interruption,
            point=point,
            curvature=self.certificate.curvature,
        )

    def _watch_progress(self, point, gap):
        lower = point.value < self._lowest * (1 - ROUNDING)  # the objective is never negative
        closer = gap < 0.9 * self.best_gap
        self.idle = 0 if self.best is None or lower or closer else self.idle + 1
        if self.best is None or gap < self.best_gap:
            self.best, self.best_gap, self._best_at = point, gap, self.n_iter
        self._lowest = min(self._lowest, point.value)

    def _record(self, value, gap):
        seconds = time.perf_counter() - self._started
        entry = {"objective": value, "gap": gap, "passes": self.objective.n_passes, "seconds": seconds}
        for name, value in entry.items():
            self.history[name].append(value)

    def _report(self):
        if self.controls.verbose:
            passes, value, gap = (self.history[name][-1] for name in ("passes", "objective", "gap"))
            print(f"{self.n_iter:5d}  passes {passes:8.1f}  objective {value:.12g}  gap {gap:.3g}")


def _rounded_up(gap, point):
    """A gap and what rounding may hide from it; see `sklearn_xent._certificate`."""
    return gap + ROUNDING * point.value + point.objective.lost_in_scores(point.W, point.value)


def iterate(point, step, monitor):
    """Repeat ``point = step(point)`` until the monitor stops it, or the step returns None: no way down."""
    while not monitor.accept(point):
        point = step(point)
        if point is None:
            monitor.stall()
            return


def line_search(line, flatness, longest=np.inf, trial=1.0):
    """A step length with an approximate Wolfe slope, or None if the direction does not descend beyond rounding.

    Slopes decide, so that it works down to rounding (Hager & Zhang 2005, SIAM J. Optimization 16, section 4): accepted is
    ``|slope(t)| <= flatness * |slope(0)|``, or where the slope jumps over that (an l1 kink), or the longest step allowed if
    it still descends there. Where the slope is positive the objective must not have risen (while it is negative, a convex
    one has not). No trial costs a pass; `trial` is the first.
    """
    first = line.slope(0)
    if not first < 0:
        return None
    low, high, side = (0.0, first), (np.inf, np.inf), 0
    t = trial
    for _ in range(MOST_TRIALS):
        slope = line.slope(t)
        if abs(slope) <= -flatness * first and (slope <= 0 or not line.rises(t)):
            return t
        secant = _secant_root(low, (t, slope))
        # The same end twice: the slope at the other counts half (the Illinois rule; Dowell & Jarratt 1971, BIT 11), or steep
        # slopes there would hold it where it is.
        if slope < 0:
            low, high, side = (t, slope), (high[0], high[1] / 2 if side < 0 else high[1]), -1
        else:
            low, high, side = (low[0], low[1] / 2 if side > 0 else low[1]), (t, slope), 1
        start, end = low[0], high[0]
        if start >= longest or end - start <= 0.05 * start:
            return start
        if end == np.inf:
            t = min(max(secant, 1.5 * start), 4 * start, longest)
        else:
            margin = 0.1 * (end - start)
            t = min(max(_secant_root(low, high), start + margin), end - margin)
    return low[0] or None


def _secant_root(one, other):
    """Where the line through two (place, slope) pairs is zero; inf if it does not rise."""
    (a, slope_a), (b, slope_b) = one, other
    return b - slope_b * (b - a) / (slope_b - slope_a) if slope_b > slope_a else np.inf
