"""Classes that a hyperplane parts: there cross-entropy without a penalty has an infimum, but no minimum.

Linear programs decide it for the signed rows z of a problem (Albert & Anderson 1984, Biometrika 71, for the three cases;
Konis 2007, "Linear programming algorithms for detecting separated data in binary logistic regression models", for the
programs). Of directions in a box with ``z @ direction >= 0`` for all rows the largest mean margin is zero where classes
overlap. Where they do not, the largest least margin is positive where separation is complete. A direction of least l1 norm
then names few features. Rows are added as they are violated: programs of few rows have no smaller optimum than one of all.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

SUSPICIOUS = 18.0  # log-odds of a row beyond which separation is looked for: its curvature comes near rounding
ROUND = 1_000  # rows added at a time
LARGE = 200_000  # coefficients in the rows of a program's first round, beyond which it takes minutes
HIGHS = {"method": "highs", "options": {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}}
TINY = 1e-12  # mean margin, in a box, that is none
EXACT = 1e-9  # violation of a row, beside the size of its terms, that counts as rounding


@dataclass
class Separation:
    """How the classes are separated.

    Attributes
    ----------
    kind : {"complete", "quasi-complete"}
        Complete: every row is on its own side. Quasi-complete: some rows of several classes lie on the border itself. Of
        One-vs-Rest tasks, the more complete one.
    direction : ndarray of shape (1 or n_classes, n_features)
        Coefficients along which the objective falls for ever; zero for One-vs-Rest tasks that are not separated.
    intercept : ndarray of shape (1 or n_classes,)
        Intercepts that go with them.
    features : list
        Names (or indices) of the columns in `direction`, the most important first.
    """

    kind: str
    direction: np.ndarray
    intercept: np.ndarray
    features: list

    def describe(self):
        """Return what is the matter and what to do, in two sentences."""
        shown = ", ".join(map(repr, self.features[:5])) + (", ..." if len(self.features) > 5 else "")
        how = "completely separated" if self.kind == "complete" else "separated but for rows on the border (quasi-complete)"
        return (
            f"The classes are {how} by {shown or 'the intercept'}: without a penalty the coefficients would grow for ever, and "
            "those returned are where the solver stopped. Use a penalty (a finite C), or merge or drop what separates."
        )


class SeparationWarning(ConvergenceWarning):
    """The classes are separated, and without a penalty there is no optimum."""


def separation_of(X, codes, n_classes, multinomial, fit_intercept, names=None, fitted=None):
    """Look for a direction that separates coded classes.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Rows that have a weight.
    codes : ndarray of int, shape (n_samples,)
        Classes; all of 0 to ``n_classes - 1`` occur.
    n_classes : int
    multinomial : bool
        Softmax, or one binary task a class (two classes: one task).
    fit_intercept : bool
    names : sequence, optional
        Of the columns.
    fitted : (coef, intercept), optional
        Where a solver stopped. Where programs are large, coefficients that separate are enough: they may name many features.

    Returns
    -------
    Separation or None
        None where the classes overlap.
    """
    X = X.tocsr().astype(np.float64) if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
    centre, scale = _units(X, fit_intercept)
    if multinomial:
        problems = [_Problem(X, centre, scale, codes, n_classes)]
    else:
        positives = range(n_classes) if n_classes > 2 else [1]
        problems = [_Problem(X, centre, scale, (codes == k).astype(int), 2) for k in positives]
    parts = [None] * len(problems) if fitted is None else zip(*(np.split(part, len(problems)) for part in fitted), strict=True)
    found = [problem.solve(fit_intercept, part) for problem, part in zip(problems, parts, strict=True)]
    kinds = [kind for kind, _, _ in found if kind]
    if not kinds:
        return None
    direction, intercept = (np.concatenate(parts) for parts in list(zip(*found, strict=True))[1:])
    size = np.abs(direction / np.where(scale > 0, scale, 1)).max(axis=0)
    order = [int(j) for j in np.argsort(-size, kind="stable") if size[j] > 0]
    features = [names[j] for j in order] if names is not None else order
    return Separation("complete" if "complete" in kinds else "quasi-complete", direction, intercept, features)


def _units(X, fit_intercept):
    """Centre and inverse spread of the columns: programs are solved in units in which tolerances mean something."""
    if sparse.issparse(X):  # a sparse column stays about zero
        largest = abs(X).max(axis=0).toarray().ravel() if X.shape[0] else np.zeros(X.shape[1])
        return np.zeros(X.shape[1]), np.divide(1, largest, out=np.zeros(X.shape[1]), where=largest > 0)
    centre = X.mean(axis=0) if fit_intercept else np.zeros(X.shape[1])
    spread = np.abs(X - centre).max(axis=0)
    live = spread > 32 * np.finfo(float).eps * np.abs(centre)
    return centre, np.divide(1, spread, out=np.zeros_like(spread), where=live)


def _solved(cost, signed, least, **constraints):
    """Solution of a program on signed rows whose margins are to be `least`; None if there is none."""
    program = linprog(cost, A_ub=-signed, b_ub=np.full(signed.shape[0], -least), **constraints, **HIGHS)
    return program.x if program.status == 0 else None


class _Problem:
    """One program: every row's own score against each other class's, in scaled columns with a constant as the last.

    A binary problem is the one of two classes whose coefficients are opposite.
    """

    def __init__(self, X, centre, scale, codes, n_classes):
        self.X, self.centre, self.scale, self.codes, self.n_classes = X, centre, scale, codes, n_classes
        self.n_outputs = n_classes if n_classes > 2 else 1
        #: Rows that programs are of; they add what they find violated.
        self.rows = np.linspace(0, len(codes) - 1, min(len(codes), ROUND)).astype(int)

    def solve(self, fit_intercept, fitted):
        """Return kind (or ""), direction and intercept, a row an output."""
        if fitted is not None and len(self.rows) * self.n_outputs * self.X.shape[1] > LARGE:
            least = self._fitted_margins(*fitted)
            if least.min() > 0:
                return "complete", *(part / least.min() for part in fitted)
            self.rows = np.argsort(least)[:ROUND]  # rows on the wrong side, or near it, tell most
        free = self._free(fit_intercept)
        widest = self._on_rows(free, self._widest) if free.any() else None
        if widest is None or not self._separates(widest):
            return "", np.zeros((self.n_outputs, self.X.shape[1])), np.zeros(self.n_outputs)
        deepest = self._on_rows(free, self._deepest)
        if deepest is not None and self._least(deepest) > TINY:
            kind, known, coefficients = "complete", deepest, self._on_rows(free, self._parting)
        else:  # of the columns that do it: a degenerate program of all of them can take minutes
            used = free & (widest != 0).any(axis=0)
            kind, known, coefficients = "quasi-complete", widest, self._on_rows(used, self._bordering)
        coefficients = known if coefficients is None else coefficients
        W = coefficients[:, :-1] * self.scale
        return kind, W, coefficients[:, -1] - W @ self.centre

    def _separates(self, coefficients):
        """Whether margins are positive on average by more than the least of them is negative: rounding, if they separate."""
        return float(np.sum(self._mean_margins() * coefficients)) > TINY + 10 * max(0.0, -self._least(coefficients))

    def _least(self, coefficients):
        """Least margin of all rows."""
        return float(self._margins(self._scores(coefficients)).min())

    def _free(self, fit_intercept):
        """Which coefficients a program has (n_outputs, n_features + 1); intercepts are the last column."""
        free = np.tile(np.append(self.scale > 0, fit_intercept), (self.n_outputs, 1))
        if self.n_outputs > 1:  # a common shift of the intercepts costs nothing: left in, a program may follow it to infinity
            free[-1, -1] = False
        return free

    def _fitted_margins(self, coef, intercept):
        """Least margin of each row by coefficients in the units of the data, less what may be rounding."""
        scores = self.X @ coef.T + intercept
        return self._margins(scores).min(axis=1) - EXACT * (1 + np.abs(scores).max(axis=1))

    def _on_rows(self, free, program):
        """Coefficients that solve a program on all rows; None if it has no solution.

        Of some rows and the coefficients that are free it returns a solution, and the margin that all rows are to have.
        """
        while True:
            coefficients = np.zeros(free.shape)
            solution, least = program(self._signed(self.rows)[:, free.ravel()], free)
            if solution is None:
                return None
            solution[np.abs(solution) <= EXACT * np.abs(solution).max()] = 0  # rounding, which would name columns
            coefficients[free] = solution
            violated = self._violated(coefficients, least)
            if len(violated) == 0:
                return coefficients
            self.rows = np.union1d(self.rows, violated)

    def _widest(self, signed, free):
        """Coefficients in the box whose mean margin is largest."""
        total = self._mean_margins()[free]
        return _solved(-total / max(np.abs(total).max(), 1e-300), signed, 0.0, bounds=self._box(free)), 0.0

    def _deepest(self, signed, free):
        """Coefficients in the box whose least margin, a variable of its own, is largest; other rows are to have half of it."""
        box = np.vstack([self._box(free), [0.0, 1.0]])
        cost = np.append(np.zeros(signed.shape[1]), -1.0)
        solution = _solved(cost, sparse.hstack([signed, -np.ones((signed.shape[0], 1))]), 0.0, bounds=box)
        return (None, 0.0) if solution is None else (solution[:-1], solution[-1] / 2)

    def _parting(self, signed, free):
        """Coefficients of least norm whose margins are at least one."""
        return self._least_norm(signed, 1.0, free), 1.0

    def _bordering(self, signed, free):
        """Coefficients of least norm whose margins are not negative, and one on average."""
        return self._least_norm(signed, 0.0, free), 0.0

    def _box(self, free):
        """Bounds of the coefficients, beside those of the last class: a common shift changes nothing."""
        bounds = np.ones(free.shape)
        bounds[:, -1] = 2 * free.shape[1]  # which no margin of both classes allows an intercept to reach
        if self.n_outputs > 1:
            bounds[-1] = 0.0
        return np.column_stack([-bounds[free], bounds[free]])

    def _least_norm(self, signed, least, free):
        """Coefficients of least l1 norm whose margins are at least `least`, or one on average."""
        total, cost = self._mean_margins()[free], np.ones(free.shape)
        cost[:, -1] = 0.0
        mean = {} if least else {"A_eq": np.concatenate([total, -total])[None], "b_eq": np.ones(1)}
        solution = _solved(np.tile(cost[free], 2), sparse.hstack([signed, -signed]), least, **mean)
        return None if solution is None else solution[: len(total)] - solution[len(total) :]

    def _violated(self, coefficients, least):
        """Rows to add: those whose margins are the smallest of all below `least`."""
        scores = self._scores(coefficients)
        margins = self._margins(scores).min(axis=1)
        margins[self.rows] = np.inf
        short = least - margins - EXACT * (1 + np.abs(scores).max(axis=1))
        worst = np.argsort(-short)[:ROUND]
        return worst[short[worst] > 0]

    def _scores(self, coefficients):
        """Scores of all rows (n_rows, n_outputs) by coefficients of scaled columns, the intercept last."""
        W = coefficients[:, :-1] * self.scale
        return self.X @ W.T - W @ self.centre + coefficients[:, -1]

    def _margins(self, scores):
        """Own score minus each other class's, shape (n_rows, n_classes); inf in the place of the own class."""
        rows = np.arange(len(scores))
        if self.n_outputs == 1:
            return (scores[:, 0] * (2 * self.codes - 1))[:, None]
        margins = scores[rows, self.codes][:, None] - scores
        margins[rows, self.codes] = np.inf
        return margins

    def _signed(self, rows):
        """Sparse matrix whose product with the coefficients gives the margins of some rows."""
        X = self.X[rows]
        X = X @ sparse.diags(self.scale) if sparse.issparse(X) else sparse.csr_matrix((X - self.centre) * self.scale)
        X = sparse.hstack([X, np.ones((len(rows), 1))]).tocsr()
        codes = self.codes[rows]
        if self.n_outputs == 1:
            return sparse.diags(2.0 * codes - 1) @ X
        parts = []
        for k in range(self.n_classes):  # the margins over class k
            others = np.flatnonzero(codes != k)
            signs = (codes[others, None] == np.arange(self.n_classes)) - np.eye(self.n_classes)[k]
            parts.append(sparse.hstack([sparse.diags(sign) @ X[others] for sign in signs.T]))
        return sparse.vstack(parts).tocsr()

    def _mean_margins(self):
        """Coefficients of the mean margin, one row an output."""
        n_rows = self.X.shape[0]
        own = np.eye(self.n_classes)[self.codes]
        pull = 2 * own[:, 1:] - 1 if self.n_outputs == 1 else self.n_classes * own - 1
        pull = pull / (n_rows * max(self.n_outputs - 1, 1))
        sums = pull.T @ self.X - np.outer(pull.sum(axis=0), self.centre)
        return np.hstack([sums * self.scale, pull.sum(axis=0)[:, None]])
