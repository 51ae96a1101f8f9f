"""Classes that a hyperplane parts: there cross-entropy without a penalty has an infimum, but no minimum.

Two linear programs decide it for the signed rows z of a problem (Albert & Anderson 1984, Biometrika 71, for the three cases;
Konis 2007, "Linear programming algorithms for detecting separated data in binary logistic regression models", for the
programs): is there a direction with ``z @ direction >= 1`` for all rows (complete separation), or else with
``z @ direction >= 0`` and not all zero (quasi-complete)? Both ask for the direction of least l1 norm, which names few
features. Rows are added as they are violated: a program of few of them without a solution proves that there is none for all.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

SUSPICIOUS = 18.0  # log-odds of a row beyond which separation is looked for: its curvature comes near rounding
ROUND = 1_000  # rows added at a time
LARGE = 200_000  # coefficients in the rows of a program's first round, beyond which it takes minutes
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


class _Problem:
    """One program: every row's own score against each other class's, in scaled columns with a constant as the last.

    A binary problem is the one of two classes whose coefficients are opposite.
    """

    def __init__(self, X, centre, scale, codes, n_classes):
        self.X, self.centre, self.scale, self.codes, self.n_classes = X, centre, scale, codes, n_classes
        self.n_outputs = n_classes if n_classes > 2 else 1

    def solve(self, fit_intercept, fitted):
        """Return kind (or ""), direction and intercept, a row an output."""
        if fitted is not None and min(len(self.codes), ROUND) * self.n_outputs * self.X.shape[1] > LARGE:
            least = self._least_margin(*fitted)
            if least > 0:
                return "complete", *(part / least for part in fitted)
        for kind, least in (("complete", 1.0), ("quasi-complete", 0.0)):
            coefficients = self._least_norm(least, fit_intercept)
            if coefficients is not None:
                W = coefficients[:, :-1] * self.scale
                return kind, W, coefficients[:, -1] - W @ self.centre
        return "", np.zeros((self.n_outputs, self.X.shape[1])), np.zeros(self.n_outputs)

    def _least_margin(self, coef, intercept):
        """Least margin of coefficients in the units of the data, less what may be rounding."""
        scores = self.X @ coef.T + intercept
        return float((self._margins(scores).min(axis=1) - EXACT * (1 + np.abs(scores).max(axis=1))).min())

    def _least_norm(self, least, fit_intercept):
        """Coefficients of least l1 norm whose margins are at least `least` and one on average; None if there are none."""
        shape = (self.n_outputs, self.X.shape[1] + 1)
        total = self._mean_margins().ravel()
        used = np.tile(np.append(self.scale > 0, fit_intercept), shape[0])
        cost = np.tile(np.append(np.ones(shape[1] - 1), 0.0), shape[0])[used]
        chosen = np.zeros(0, dtype=int)
        coefficients = np.zeros(shape)
        while True:
            violated = self._violated(coefficients, least, chosen)
            if len(violated) == 0 and len(chosen):
                return coefficients
            chosen = np.union1d(chosen, violated)
            signed = self._signed(chosen)[:, used]
            program = linprog(
                np.concatenate([cost, cost]),
                A_ub=-sparse.hstack([signed, -signed]),
                b_ub=np.full(signed.shape[0], -least),
                A_eq=None if least else np.concatenate([total[used], -total[used]])[None],
                b_eq=None if least else np.ones(1),
                method="highs",
                options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
            )
            if program.status != 0:
                return None
            coefficients = np.zeros(used.size)
            coefficients[used] = program.x[: used.sum()] - program.x[used.sum() :]
            coefficients = coefficients.reshape(shape)

    def _violated(self, coefficients, least, chosen):
        """Rows to add: the first round's, then those whose margins are the smallest of all below `least`."""
        n_rows = self.X.shape[0]
        if len(chosen) == 0:
            return np.linspace(0, n_rows - 1, min(n_rows, ROUND)).astype(int)
        W = coefficients[:, :-1] * self.scale
        scores = self.X @ W.T - W @ self.centre + coefficients[:, -1]
        margins = self._margins(scores).min(axis=1)
        margins[chosen] = np.inf
        short = least - margins - EXACT * (1 + np.abs(scores).max(axis=1))
        worst = np.argsort(-short)[:ROUND]
        return worst[short[worst] > 0]

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
