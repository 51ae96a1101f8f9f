"""Newton for small data, where calls cost more than arithmetic."""

from functools import cached_property

import numpy as np
from scipy import linalg

from sklearn_xent._costs import OVERHEAD, Costs
from sklearn_xent._linalg import weighted_sums
from sklearn_xent._minimise import line_search
from sklearn_xent.solvers.newton import Newton, rotates

FLATNESS = 1 / 8  # of a line search: as along every step of a whole Hessian
ENOUGH = 1e-17  # squared decrement, in objectives of the best constant model, that is left to rounding
QUADRATIC = 2e-3  # where a step shrinks that by so much, the Hessian hardly changes any more: it serves once again
SMALL = 2 * OVERHEAD  # nanoseconds of a Hessian, beyond which blocks and threads gain more than few calls do
MOST_STEPS = 50  # before the problem is left to `Newton`


class CompactNewton(Newton):
    """Newton on a standardised copy of small data, proven where it ends; `Newton` for whatever is larger or has an l1 penalty.

    The copy has a column of ones: the intercept is a coefficient like the others, and nothing is asked of an iterate but
    its gradient and Hessian, so that an iteration takes few calls. What they end with is where `Newton` begins,
    which proves it, or goes on. Gaps of the iterates before follow from what it proves.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> classifier = CrossEntropyClassifier().fit(*load_breast_cancer(return_X_y=True))
    >>> classifier.solver_, classifier.status_
    ('compact-newton', 'converged')
    """

    def _run(self, point, monitor, random_state):
        objective = point.objective
        warm = point.W.any() and monitor.certificate.gap(point) <= monitor.target
        if compact(objective) and not warm:
            point = objective.at(*_Copy(objective).descend(point, monitor))
            if monitor.status:
                monitor.refine(point, monitor.certificate.gap(point))
                return
        super()._run(point, monitor, random_state)


def compact(objective):
    """Whether a problem is smooth and small, and its own coordinates are the best ones."""
    cost = Costs(objective).dense_hessian(objective.design.shape[0])
    return objective.penalty.smooth and cost <= SMALL and not rotates(objective)


class _Copy:
    """A small problem, X copied: standardised columns and one of ones, whose coefficients are the intercepts.

    Parameters
    ----------
    objective : Objective
    """

    def __init__(self, objective):
        (n_rows, n_features), used = objective.design.shape, objective.scale > 0
        self.objective, self.loss, self.weights = objective, objective.loss, objective.weights
        self.X = np.zeros((n_rows, n_features + 1))
        self.X[:, :-1] = objective.design.dense_rows(slice(0, n_rows), objective.centre, objective.scale)
        self.X[:, -1] = objective.fit_intercept
        self.l2 = np.append(np.where(used, objective.penalty.l2, 1.0), not objective.fit_intercept)
        self.stiffness = self._stiffness(objective.shape[0] // objective.n_blocks, n_features + 1)

    def _stiffness(self, size, width):
        """What is added to each block of the loss's Hessian: the penalty, and more that makes it regular."""
        stiffness = np.zeros((size, width, size, width))
        if size > 1:  # a common shift of coupled outputs changes no loss, and no step from coefficients of least norm takes it
            np.einsum("kjlj->klj", stiffness)[:] = 1.0
        np.einsum("kjkj->kj", stiffness)[:] += self.l2
        return stiffness.reshape(size * width, size * width)

    def descend(self, point, monitor):
        """Return coefficients and intercepts where Newton's steps from a point end; the monitor takes note of the iterates."""
        W = self.loss.least_norm(np.column_stack([point.W, point.b]))
        self.place = _Place(self, W, self.scores(W) + (0.0 if point.objective.offset is None else point.objective.offset))
        try:
            self._descend(monitor, ENOUGH * point.objective.constant_value)
        except KeyboardInterrupt as interruption:
            monitor.interrupt(interruption)
            if not monitor.controls.history["gap"]:
                raise
        return self.place.coefficients()

    def _descend(self, monitor, enough):
        factors, before = None, self.objective.constant_value
        for _ in range(MOST_STEPS):
            last = monitor.note(self.place.value, self.place.coefficients)
            if monitor.status:
                return
            factors = factors or self.place.factors()
            line = factors and self.place.line(factors)
            t = line and line_search(line, FLATNESS)
            if not t:
                return
            self.place = line.place(t)
            shrinkage = line.decrement / before
            if last or line.decrement * shrinkage <= enough:  # the next step would be as short
                return
            factors, before = factors if shrinkage <= QUADRATIC else None, line.decrement

    def scores(self, W):
        self.objective.design.meter.read(self.objective.design.share)
        return np.asfortranarray(np.dot(self.X, W.T))


class _Place:
    """Coefficients with the intercepts among them, their scores and residuals."""

    def __init__(self, problem, W, Z):
        self.problem, self.W, self.Z = problem, W, Z
        self.residuals = problem.loss.residuals(Z)

    def coefficients(self):
        return self.W[:, :-1], self.W[:, -1]

    @cached_property
    def value(self):
        """Objective."""
        problem = self.problem
        losses = problem.loss.values(self.Z, self.residuals)
        return float(weighted_sums(problem.weights, losses).sum() + np.vdot(problem.l2 * self.W, self.W) / 2)

    def gradient(self):
        problem = self.problem
        problem.objective.design.meter.read(problem.objective.design.share)
        return np.dot((problem.weights * self.residuals).T, problem.X) + problem.l2 * self.W

    def line(self, factors):
        """Return the line along the step of a Hessian's factors."""
        gradient = self.gradient()
        right = -gradient.reshape(len(factors), -1)
        D = np.empty_like(gradient)
        for step, factor, b in zip(D.reshape(right.shape), factors, right, strict=True):
            step[:] = linalg.lapack.dpotrs(factor, b, lower=True)[0]
        return _CompactLine(self, D, -float(np.vdot(gradient, D)))

    def factors(self):
        """Factored blocks of the Hessian, coefficients ordered as in `Point.hessian`; None where one is singular."""
        problem, objective = self.problem, self.problem.objective
        objective.design.meter.read(objective.design.share)
        entries = problem.loss.curvature(problem.weights, self.residuals).entries()
        gram = np.matmul(problem.X.T * entries.T[:, None, :], problem.X)
        order = len(problem.stiffness)
        blocks = np.swapaxes(problem.loss.by_block(gram), 2, 3).reshape(objective.n_blocks, order, order) + problem.stiffness
        factors, failed = zip(*(linalg.lapack.dpotrf(block.T, lower=True, clean=False) for block in blocks), strict=True)
        return None if any(failed) else factors


class _CompactLine:
    """The objective along a direction, for `line_search`; keeps the last place."""

    def __init__(self, start, D, decrement):
        self.start, self.D, self.decrement = start, D, decrement
        problem = start.problem
        self._U, self._last = problem.scores(D), (None, None)
        self._weighted = problem.weights * self._U
        penalty = problem.l2 * D
        self._onset, self._bend = float(np.vdot(penalty, start.W)), float(np.vdot(penalty, D))  # of the penalty

    def place(self, t):
        """Return the place at t."""
        if self._last[0] != t:
            start = self.start
            self._last = t, _Place(start.problem, start.W + t * self.D, start.Z + t * self._U)
        return self._last[1]

    def slope(self, t):
        """Derivative of the objective at t."""
        if t == 0:
            return -self.decrement
        return float(np.vdot(self.place(t).residuals.T, self._weighted.T)) + self._onset + t * self._bend

    def rises(self, t):
        """Whether the objective at t is above where the line starts, beyond rounding."""
        return self.place(t).value > self.start.value * (1 + 1e-10)
