"""Newton for small data, where calls cost more than arithmetic."""

from functools import cached_property

import numpy as np
from scipy import linalg

from sklearn_xent._costs import OVERHEAD, Costs
from sklearn_xent._linalg import EPS, LOST, weighted_sums
from sklearn_xent._line import RISEN
from sklearn_xent._minimise import line_search
from sklearn_xent._model import FactoredModel
from sklearn_xent._point import Point
from sklearn_xent.solvers.newton import Newton, rotates

SMALL = 2 * OVERHEAD  # nanoseconds of a Hessian, beyond which blocks and threads gain more than few calls do
COUPLED = 2  # times that for coupled outputs: where their fits broke even with other solvers' (3 and 10 classes)
QUADRATIC = 2e-3  # where a step shrinks the squared decrement by so much, the Hessian hardly changes: it serves once again
SLOW = 0.1  # where it shrinks by no more, classes part
ENOUGH = 1e-17  # squared decrement, in objectives of the best constant model, that is not worth another step
ENOUGH_DIGITS = 1e-6  # squared decrement, in tolerances, that is not
MOST_STEPS = 50  # before the problem is left to `Newton`


class CompactNewton(Newton):
    """Newton on a standardised copy of small data, proven where it ends; `Newton` for whatever is larger or has an l1 penalty.

    The copy has a column for the intercept, a coefficient like the others, and nothing is asked of an iterate but
    its objective, gradient and Hessian, so that an iteration takes few calls. What they end with is where `Newton` begins,
    which proves it, or goes on. Gaps of the iterates before follow from what it proves.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> from sklearn_xent.solvers import CompactNewton
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> CrossEntropyClassifier(solver=CompactNewton()).fit(X, y).status_
    'converged'
    """

    def _run(self, point, monitor, random_state):
        objective = point.objective
        if not compact(objective) or (point.W.any() and monitor.certificate.gap(point) <= monitor.target):
            super()._run(point, monitor, random_state)
            return
        descent = _Descent(_Copy(objective).place(point))
        try:
            first = descent.place.value
            descent.run(monitor)
            if not monitor.status:
                end = Point(objective, *descent.coefficients(), descent.place.Z)
                super()._run(end if end.value <= first else point, monitor, random_state)
                return
        except KeyboardInterrupt as interruption:
            if monitor.best is not None or not monitor.history["gap"]:
                raise
            monitor.interrupt(interruption)
        last = objective.at(*descent.coefficients())
        monitor.refine(last, monitor.certificate.gap(last))


def compact(objective):
    """Whether a problem is smooth and small, and its own coordinates are the best ones."""
    cost = Costs(objective).copied_hessian(objective.design.shape[0])
    small = cost <= SMALL * (COUPLED if objective.coupled else 1)
    return objective.penalty.smooth and small and not rotates(objective)


class _Copy:
    """A small problem, X copied: standardised columns and one of ones, whose coefficients are the intercepts.

    Parameters
    ----------
    objective : Objective
    """

    def __init__(self, objective):
        (n_rows, n_features), fit_intercept = objective.design.shape, objective.fit_intercept
        self.objective, self.loss, self.weights = objective, objective.loss, np.ascontiguousarray(objective.weights)
        self.X = np.zeros((n_rows, n_features + 1), order="F")
        self.X[:, :-1] = objective.design.dense_rows(slice(0, n_rows), objective.centre, objective.scale)
        self.X[:, -1] = 1.0 if fit_intercept else 0.0
        # Columns of zeros have coefficients that stay zero; any penalty makes the Hessian regular there.
        self.l2 = np.append(np.where(objective.scale > 0, objective.penalty.l2, 1.0), 0.0 if fit_intercept else 1.0)
        self.stiffness = self._stiffness(objective.shape[0] // objective.n_blocks, n_features + 1)
        self.read()

    def _stiffness(self, size, width):
        """What is added to each block of the loss's Hessian: the penalty and, for coupled outputs, curvature of a common shift.

        That shift changes no loss, and no step from coefficients of least norm takes it.
        """
        stiffness = np.zeros((size, width, size, width))
        if size > 1:
            np.einsum("kjlj->klj", stiffness)[:] = 1.0
        np.einsum("kjkj->kj", stiffness)[:] += self.l2
        return stiffness.reshape(size * width, size * width)

    def read(self):
        """Count one read of the data."""
        self.objective.design.meter.read(self.objective.design.share)

    def scores(self, W):
        """Change of the scores that a change W of the coefficients makes."""
        self.read()
        return np.dot(W, self.X.T).T  # outputs lie one after the other

    def place(self, point):
        """Return the place of a point."""
        W, offset = self.loss.least_norm(np.column_stack([point.W, point.b])), self.objective.offset
        Z = self.scores(W)
        return _Place(self, W, Z if offset is None else Z + offset)


class _Descent:
    """Newton's steps from a place; `place` is the last one."""

    def __init__(self, place):
        self.place = place

    def coefficients(self):
        """Coefficients and intercepts of the last place."""
        return self.place.W[:, :-1], self.place.W[:, -1]

    def run(self, monitor):
        """Take steps as long as they gain; the monitor takes note of the places that they leave."""
        enough = max(ENOUGH * monitor.objective.constant_value, ENOUGH_DIGITS * monitor.target)
        factors, before, t = None, 0.0, 1.0
        for _ in range(MOST_STEPS):
            line = self.place.line(factors) if factors else None
            if line is None or line.squared > QUADRATIC * before:
                factors = self.place.factors()
                if factors is None:
                    return
                line = self.place.line(factors)
            shrinkage = line.squared / before if before else 1.0
            # Where classes part, steps fall short one after the other: the search begins where the last one ended.
            t = line_search(line, FactoredModel.flatness, trial=t if SLOW < shrinkage < 1 else 1.0)
            if t is None:
                return
            last = monitor.note(self.place.value, self.coefficients)
            if monitor.status:
                return
            self.place = line.place(t)
            # Digits beyond the tolerance are worth a step, but where the optimum is far out and steps gain little; so are
            # those that a proof lacks, which costs several steps. The next would be as short as this one times the shrinkage.
            near = line.squared <= monitor.target and shrinkage > SLOW and self._proven(monitor)
            if last or near or line.squared * shrinkage <= enough:
                return
            # Newton is quadratic: the next step shrinks it by the square of what this one did.
            factors, before = factors if shrinkage**2 <= QUADRATIC else None, line.squared

    def _proven(self, monitor):
        """Whether the gap will be good enough, as far as the objective and its gradient tell."""
        if self.place.value <= monitor.target:
            return True
        expected = monitor.certificate.expects(self.place.gradient[:, :-1])
        return expected <= monitor.target or expected == np.inf


class _Place:
    """Coefficients with the intercepts among them, their scores and residuals."""

    def __init__(self, problem, W, Z):
        self.problem, self.W, self.Z = problem, W, Z
        self.residuals = problem.loss.residuals(Z)

    @cached_property
    def value(self):
        """Objective."""
        problem = self.problem
        losses = problem.loss.values(self.Z, self.residuals)
        return float(weighted_sums(problem.weights, losses).sum() + np.vdot(problem.l2 * self.W, self.W) / 2)

    @cached_property
    def gradient(self):
        """Gradient, of the intercepts too."""
        problem = self.problem
        problem.read()
        return np.dot((problem.weights * self.residuals).T, problem.X) + problem.l2 * self.W

    def factors(self):
        """Factored blocks of the Hessian, coefficients ordered as in `Point.hessian`; None where one is singular."""
        problem, n_blocks = self.problem, self.problem.objective.n_blocks
        problem.read()
        entries = problem.loss.curvature(problem.weights, self.residuals).entries()
        gram = np.matmul(problem.X.T * entries.T[:, None, :], problem.X)
        order = len(problem.stiffness)
        blocks = np.swapaxes(problem.loss.by_block(gram), 2, 3).reshape(n_blocks, order, order) + problem.stiffness
        factors = []
        for block in blocks:
            factor, failed = linalg.lapack.dpotrf(block.T, lower=True, clean=False)
            if failed or (np.square(factor.diagonal()) < LOST * order * EPS * block.diagonal()).any():
                return None
            factors.append(factor)
        return factors

    def line(self, factors):
        """Return the line along the step of a Hessian's factors."""
        gradient = self.gradient
        right = -gradient.reshape(len(factors), -1)
        D = np.empty_like(gradient)
        for step, factor, b in zip(D.reshape(right.shape), factors, right, strict=True):
            step[:] = linalg.lapack.dpotrs(factor, b, lower=True)[0]
        return _Line(self, D, -float(np.vdot(gradient, D)))


class _Line:
    """The objective along a direction, for `line_search`; it keeps the last place.

    `squared` is the squared decrement of the step: how fast the objective falls along it at first.
    """

    def __init__(self, start, D, squared):
        problem = start.problem
        self.start, self.D, self.squared = start, D, squared
        self._U = problem.scores(D)
        self._weighted = problem.weights * self._U
        penalty = problem.l2 * D
        self._onset, self._bend = float(np.vdot(penalty, start.W)), float(np.vdot(penalty, D))  # of the penalty
        self._known = (None, None)

    def place(self, t):
        """Return the place at t."""
        if self._known[0] != t:
            start = self.start
            self._known = t, _Place(start.problem, start.W + t * self.D, start.Z + t * self._U)
        return self._known[1]

    def slope(self, t):
        """Derivative of the objective at t."""
        if t == 0:
            return -self.squared
        loss = np.vdot(self.place(t).residuals.T, self._weighted.T)  # outputs lie one after the other: no copies
        return float(loss) + self._onset + t * self._bend

    def rises(self, t):
        """Whether the objective at t is above where the line starts, beyond rounding."""
        return self.place(t).value > self.start.value * RISEN
