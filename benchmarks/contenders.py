"""What a contender is, and ours.

A contender has a ladder: settings from loose to tight. For most the setting is the tolerance; where nothing can interrupt a fit
and its tolerance does not bound its time, it is the number of iterations. Data are brought into the form that a peer likes best
before the clock starts, which favours the peer; ours takes them as they are.
"""

import importlib

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS

TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)


class Contender:
    """One way to solve a problem.

    Subclasses set the attributes and write `_fit_binary`, or `fit` and `coefficients`.
    """

    name = ""
    module = "sklearn"  # what must be importable
    ladder = TOLERANCES
    tasks = ("binary", "ovr")
    penalties = ("ridge", "lasso")
    sparse = True
    intercept = True  # whether it fits one that is not penalised
    max_features = np.inf  # beyond, its Hessian fills memory or hours
    by_columns = False  # whether it likes its columns in one piece, not its rows
    grid_search = False  # whether GridSearchCV takes it
    interruptible = True  # whether its fits return to Python often enough to be stopped at the limit

    def excuse(self, problem):
        """Why this contender cannot run a problem; empty if it can."""
        _, n_features = problem.X.shape
        reasons = {
            "no scikit-learn classifier with a C to search over": bool(problem.grid) and not self.grid_search,
            f"no {problem.task} task": problem.task not in self.tasks,
            f"no {problem.penalty}": problem.penalty not in self.penalties,
            "no sparse data": sparse.issparse(problem.X) and not self.sparse,
            "fits no intercept": problem.fit_intercept and not self.intercept,
            f"a dense Hessian of {n_features:,} features": n_features > self.max_features,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def missing(self):
        """Whether its package is not installed."""
        try:
            importlib.import_module(self.module)
        except ImportError:
            return True
        return False

    def ladders(self, problem):
        """Ladders to climb one after the other until the top is reached."""
        return [self.ladder]

    def data(self, problem):
        """X in the form that it likes best."""
        if not self.by_columns:
            return problem.X
        return problem.X.tocsc() if sparse.issparse(problem.X) else np.asfortranarray(problem.X)

    def fit(self, X, problem, setting):
        """Fit on the clock: one binary fit a task."""
        positives = range(problem.n_outputs) if problem.task == "ovr" else [1]
        return [self._fit_binary(X, problem.codes == k, problem, setting) for k in positives]

    def coefficients(self, fitted):
        """Coefficients and intercepts of what `fit` returned."""
        return np.vstack([coef for coef, _ in fitted]), np.array([intercept for _, intercept in fitted])

    def solutions(self, X, problem, setting, fitted):
        """Yield (C, coefficients, intercepts) of everything that has to be precise."""
        yield problem.C, *self.coefficients(fitted)

    def foreseen(self, seconds, setting, tighter):
        """How long a tighter setting will take, about, where this one took so many seconds: no less."""
        return seconds

    def passes(self, fitted):
        """How often the data was read; nan of those who do not tell."""
        return np.nan

    def trace(self, fitted):
        """The way down as [seconds, objective] pairs, if it tells."""
        return []

    def _fit_binary(self, X, positive, problem, setting):
        raise NotImplementedError


class Estimator(Contender):
    """A scikit-learn classifier with a parameter C."""

    grid_search = True

    def classifier(self, problem, setting):
        """Return the unfitted classifier."""
        raise NotImplementedError

    def fit(self, X, problem, setting):
        """Fit one classifier, or search the grid."""
        classifier = self.classifier(problem, setting)
        if problem.grid:
            classifier = GridSearchCV(classifier, {"C": list(problem.grid)}, cv=problem.folds)
        return classifier.fit(X, problem.y)

    def coefficients(self, fitted):
        """Coefficients and intercepts, of One-vs-Rest from its parts."""
        parts = [fitted] if hasattr(fitted, "coef_") else fitted.estimators_
        return np.vstack([part.coef_ for part in parts]), np.concatenate([np.atleast_1d(part.intercept_) for part in parts])

    def solutions(self, X, problem, setting, fitted):
        """Of a grid search, every C has to be precise on all rows: fitted again, off the clock."""
        if not problem.grid:
            yield from super().solutions(X, problem, setting, fitted)
        for C in problem.grid:
            yield C, *self.coefficients(clone(fitted.estimator).set_params(C=C).fit(X, problem.y))


class Ours(Estimator):
    """CrossEntropyClassifier as it comes, its tolerance apart."""

    name = "ours"
    module = "sklearn_xent"
    interruptible = False
    tasks = ("binary", "ovr", "multinomial")
    reference = 1e-13  # the tolerance that F* is first looked for with

    def classifier(self, problem, setting):
        """Return CrossEntropyClassifier."""
        return CrossEntropyClassifier(
            C=problem.C,
            l1_ratio=problem.l1_ratio,
            fit_intercept=problem.fit_intercept,
            multi_class="multinomial" if problem.task == "multinomial" else "ovr",
            tol=setting,
        )

    def passes(self, fitted):
        """How often the data was read."""
        return getattr(fitted, "n_passes_", np.nan)

    def trace(self, fitted):
        """Seconds and objective of every iteration."""
        history = getattr(fitted, "history_", {"seconds": [], "objective": []})
        return [list(pair) for pair in zip(history["seconds"], history["objective"], strict=True)]


class Single(Ours):
    """One of our solvers by its name: what "auto" could have chosen."""

    interruptible = True

    def __init__(self, solver):
        self.name = solver
        if solver in ("bfgs", "subsampled-newton"):  # nothing interrupts a factorisation
            self.max_features = 2_500

    def classifier(self, problem, setting):
        """Return CrossEntropyClassifier with this solver."""
        return super().classifier(problem, setting).set_params(solver=self.name)


OURS = Ours()
SINGLES = [Single(solver) for solver in SOLVERS if solver != "auto"]
