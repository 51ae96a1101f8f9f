"""CrossEntropyClassifier: parameters, validation, attributes. No mathematics."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sklearn_xent import _targets
from sklearn_xent._callbacks import FRAMES, CallbackSupportMixin, FitCallbacks, with_callbacks
from sklearn_xent._certificate import has_minimum
from sklearn_xent._checks import check_integer
from sklearn_xent._data import checked_to_fit
from sklearn_xent._design import as_design
from sklearn_xent._minimise import Controls, Status
from sklearn_xent._objective import Objective
from sklearn_xent._parameters import check_params
from sklearn_xent._penalty import ElasticNet
from sklearn_xent._predictions import LinearPredictions
from sklearn_xent._prior import prior_shift
from sklearn_xent._separation import SUSPICIOUS, SeparationWarning, separation_of
from sklearn_xent._summary import Terms, summarise
from sklearn_xent._threads import team_for
from sklearn_xent._version import VersionedPickle
from sklearn_xent.solvers import name_of


class CrossEntropyClassifier(VersionedPickle, CallbackSupportMixin, LinearPredictions, ClassifierMixin, BaseEstimator):
    """Logistic regression: classification by cross-entropy, to a proven optimum.

    Minimises ``sum_i s_i loss_i / S + lambda (l1_ratio |W|_1 + (1 - l1_ratio) / 2 |W|²)`` with row weights
    ``s_i = sample_weight_i * class_weight[y_i]``, their sum ``S`` and ``lambda = 1 / (C S)``: the same optimum as
    `sklearn.linear_model.LogisticRegression` of the same `C` and `l1_ratio`. The intercept is never penalised.

    Parameters
    ----------
    C : float, default=1.0
        Inverse penalty strength; ``np.inf`` is no penalty.
    l1_ratio : float in [0, 1], default=0.0
        0 is ridge, 1 is lasso, between is elastic net.
    fit_intercept : bool, default=True
        Whether scores have an intercept.
    class_weight : None, "balanced" or dict, default=None
        Factors on the rows of each class. "balanced" weighs all classes equally; One-vs-Rest balances each binary
        task, its one class against the rest. A dict may name classes that `y` lacks; classes it does not name weigh 1.
    prior_correction : bool, default=False
        Whether probabilities speak of the population that was sampled rather than the one that `class_weight` makes of it: the
        intercepts are moved by the difference that the weights made to the log-odds of the classes, ``-log(weight of
        the class / weight of the rest)`` for a task, ``-log(weight)`` for softmax (King & Zeng 2001, section 4.1). Exact for a
        well-specified model without penalty; approximate with one, and for One-vs-Rest tasks whose rest has several weights.
        With weights of two classes, α₀ and α₁, the decision that they ask for stays at hand:
        ``FixedThresholdClassifier(fitted, threshold=α₀ / (α₀ + α₁))`` decides as the uncorrected fit does.
    prior : None or dict, default=None
        Shares of the classes in the population, where the sample was drawn by class (case-control); implies the
        correction. One class may be left out; it has the rest. Of three classes and more, multinomial is the exact one.
    multi_class : {"ovr", "multinomial"}, default="ovr"
        For three classes and more: one binary task a class, or softmax.
    solver : str or Solver, default="auto"
        A name in `sklearn_xent.solvers.SOLVERS`, or a solver object from `sklearn_xent.solvers`.
    tol : float, default=1e-8
        Stop when the optimality gap is at most `tol` times the objective of the best constant model. The gap is a bound by
        duality where there is a penalty, by self-concordance where there is none (or one lost in rounding).
    max_iter : int, default=1000
        Most iterations of the solver.
    warm_start : bool, default=False
        Start from the last fit's coefficients if classes and features are the same and zero is no better start.
    random_state : int, RandomState instance or None, default=None
        For the solver that draws: "sgd".
    verbose : int, default=0
        1 prints a line an iteration: passes, objective, gap.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels that have a positive total weight, sorted.
    coef_ : ndarray of shape (1 or n_classes, n_features)
        Coefficients, one row for two classes.
    intercept_ : ndarray of shape (1 or n_classes,)
        Intercepts.
    prior_shift_ : ndarray of shape (1 or n_classes,)
        What `prior_correction` or `prior` added to `intercept_`; zero without.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string column names.
    n_iter_ : ndarray of shape (1,)
        Iterations of the solver.
    n_passes_ : float
        How often the data was read; one pass is ``X @ d`` and ``X.T @ r``.
    solver_ : str
        The solver that ran: what "auto" chose.
    optimality_gap_ : float
        How far the objective is above its infimum at most, in the objective's units; no more than the objective itself, which
        is all that is proven far from the optimum without penalty, or with more coefficients than a Hessian is formed for.
    status_ : {"converged", "max_iter", "stalled", "separated", "interrupted"}
        How the solver ended; "stalled" means rounding stopped progress before `tol`, "separated" that there is no optimum,
        "interrupted" that Ctrl-C or a callback came first.
    separation_ : Separation or None
        Without penalty, how the classes are separated; see `sklearn_xent.find_separation`.
    history_ : dict of lists
        "objective", "gap" (without penalty only the objective, where a Hessian would have been formed for nothing; with
        "compact-newton", before the last, what follows from the last), "passes" and "seconds", one entry an iteration, the
        start included.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, section 4.4.
    Boyd & Vandenberghe (2004), Convex Optimization, sections 5.5 (duality gap) and 9.5 (Newton).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = CrossEntropyClassifier(multi_class="multinomial").fit(X, y)
    >>> classifier.status_, round(classifier.score(X, y), 3)
    ('converged', 0.973)

    Ninety survive, ten die. Weighted by inverse frequency the classifier misses fewer deaths and gives more false alarms; its
    probabilities then speak of a population where half die, unless corrected:

    >>> import numpy as np
    >>> from sklearn.metrics import confusion_matrix
    >>> age = np.concatenate([np.linspace(20, 75, 90), np.linspace(45, 90, 10)])[:, None]
    >>> died = np.repeat([0, 1], [90, 10])
    >>> for params in ({}, {"class_weight": "balanced"}, {"class_weight": "balanced", "prior_correction": True}):
    ...     fit = CrossEntropyClassifier(C=np.inf, **params).fit(age, died)
    ...     _, alarms, missed, _ = confusion_matrix(died, fit.predict(age)).ravel()
    ...     print(missed, alarms, round(fit.predict_proba(age)[:, 1].mean(), 2))
    8 0 0.1
    3 28 0.38
    8 0 0.1
    """

    def __init__(
        self,
        *,
        C=1.0,
        l1_ratio=0.0,
        fit_intercept=True,
        class_weight=None,
        prior_correction=False,
        prior=None,
        multi_class="ovr",
        solver="auto",
        tol=1e-8,
        max_iter=1000,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.prior_correction = prior_correction
        self.prior = prior
        self.multi_class = multi_class
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # Without an intercept no class weight can move the boundary off the origin: the optimum itself may score poorly.
        tags.classifier_tags.poor_score = not self.fit_intercept
        return tags

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the model; a fit that fails leaves the estimator as it was.

        Interrupted by Ctrl-C, it keeps the best iterate so far, all attributes complete, and raises KeyboardInterrupt again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data; float32 and float64 are used as they are, in any order or stride, other types become float64.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative row weights; a weight of 2 is the row twice.

        Returns
        -------
        CrossEntropyClassifier
            This estimator, fitted.

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not what it may be; the message says which and what it may be.

        Warns
        -----
        ConvergenceWarning
            If the solver ended before the gap was within `tol`.
        SeparationWarning
            If there is no penalty and the classes are separated; names the features that do it.
        """
        solver, random_state = check_params(self)
        callbacks = FitCallbacks(self, int(self.max_iter))
        before = self.__dict__.copy()
        try:
            interruption = self._fit(X, y, sample_weight, solver, random_state, callbacks)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        if interruption:
            raise interruption
        self._warn_unless_converged()
        return self

    def _fit(self, X, y, sample_weight, solver, random_state, callbacks):
        X, y, targets = self._check_data(X, y, sample_weight)
        multinomial = self.multi_class == "multinomial" and len(targets.classes) > 2
        shift = prior_shift(targets, self.prior_correction, self.prior, multinomial)
        penalty = ElasticNet.from_C(self.C, self.l1_ratio, targets.total, X.shape[1])
        design = as_design(X)
        with team_for(design, targets.loss.n_outputs):
            objective = self._objective(design, targets, penalty)
            known = {"classes_": targets.classes, "_multinomial": multinomial, "prior_shift_": shift}
            watch = callbacks.begin(X, y, sample_weight, known)
            solver = solver.chosen(objective)
            solution = solver.minimise(
                objective,
                Controls(float(self.tol), int(self.max_iter), self.verbose, watch),
                start=self._start(targets.classes, objective.shape),
                random_state=random_state,
            )
            self.separation_, interruption = None, solution.interruption
            if np.isinf(self.C) and not interruption:
                try:
                    if _suspicious(design, solution, multinomial):
                        self.separation_ = self._separation(X, targets, (solution.coef, solution.intercept))
                except KeyboardInterrupt as error:  # the fit itself is done: it is kept
                    interruption = error
        self.classes_, self._multinomial = targets.classes, multinomial
        self.prior_shift_ = shift
        self.coef_, self.intercept_ = solution.coef, solution.intercept + shift
        self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
        self.n_passes_ = solution.n_passes
        self.solver_ = name_of(solver)
        self.optimality_gap_ = solution.gap
        status = Status.INTERRUPTED if interruption else solution.status
        self.status_ = (status if self.separation_ is None else Status.SEPARATED).value
        self.history_ = solution.history
        self._terms = Terms.of(self, X.shape[0], targets, solution)
        callbacks.end()
        return interruption

    def _check_data(self, X, y, sample_weight):
        """Return data, labels, and both coded; all validated, but for values of X that are not finite."""
        try:
            X, y = checked_to_fit(self, X, y)
        except OverflowError as error:  # an integer of more than 308 digits
            raise ValueError(f"X and y must hold numbers that a float can represent: {error}") from error
        if y.dtype.kind not in "biu":  # integers are classes, whatever they are
            check_classification_targets(y)
        weights = _targets.check_weights(sample_weight, X.shape[0])
        return X, y, _targets.encode(y, weights, self.class_weight, self.multi_class)

    def _objective(self, design, targets, penalty):
        """Return the objective, X being finite: it shows in the columns' moments, unless a row has no weight.

        A look at X for that alone would take as long as the moments do, and a tenth of many a fit.
        """
        refused = None
        try:
            objective = Objective(design, targets.loss, targets.weights, penalty, self.fit_intercept)
        except ValueError as error:
            refused = error
        if refused or objective.row_weight.min() == 0:
            self._check_finite(design.X)
        if refused:
            raise refused
        return objective

    def _check_finite(self, X):
        assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")

    def _separation(self, X, targets, fitted=None):
        """Look for separation among the rows that have a weight; coefficients already `fitted` may show it."""
        rows = np.flatnonzero(targets.weights.max(axis=1) > 0)
        names, codes = getattr(self, "feature_names_in_", None), targets.loss.classes[rows]
        coupled = targets.loss.n_tasks == 1 and len(targets.classes) > 2
        return separation_of(X[rows], codes, len(targets.classes), coupled, self.fit_intercept, names, fitted)

    def _start(self, classes, shape):
        known = self.warm_start and hasattr(self, "coef_")
        if not known or self.coef_.shape != shape or self.classes_.tolist() != classes.tolist():
            return None
        return self._dense_coef(), self.intercept_ - self.prior_shift_

    def _warn_unless_converged(self):
        if self.status_ == Status.CONVERGED:
            return
        if self.status_ == Status.SEPARATED:
            warnings.warn(self.separation_.describe(), SeparationWarning, stacklevel=3 + FRAMES)
            return
        advice = {
            Status.MAX_ITER: "Raise max_iter (or the solver's own limit), or use solver='auto'.",
            Status.INTERRUPTED: "A callback asked to stop.",
            Status.STALLED: "Rounding or a poor step size stopped progress: use solver='auto' or raise tol.",
        }[self.status_]
        warnings.warn(
            f"Solver {self.solver_!r} ended ({self.status_}) with an optimality gap of {self.optimality_gap_:.2g}, above "
            f"the {self._terms.target:.2g} that tol={self.tol:g} asks for. {advice}",
            ConvergenceWarning,
            stacklevel=3 + FRAMES,
        )

    @property
    def estimators_(self):
        """One fitted binary classifier a One-vs-Rest task; their coefficients are views of this estimator's."""
        check_is_fitted(self)
        if self._multinomial:
            raise AttributeError("A multinomial fit has no binary classifiers; estimators_ needs multi_class='ovr'.")
        return [self._task(k) for k in range(len(self.intercept_))]

    def _task(self, k):
        task = clone(self)
        task.__dict__.update({name: value for name, value in self.__dict__.items() if name not in self.get_params(deep=False)})
        task.coef_, task.intercept_ = self.coef_[k : k + 1], self.intercept_[k : k + 1]
        task.prior_shift_ = self.prior_shift_[k : k + 1]
        if len(self.classes_) > 2:
            task.classes_, task._terms = np.array([0, 1]), self._terms.of_task(k)
            task.prior = None  # it names classes that the task does not know; so do weights
            task.class_weight = self.class_weight if isinstance(self.class_weight, str) else None
        return task

    def summary(self, n_coefficients=10):
        """Say in words what was fitted: penalty, class weights, solver, status, gap, the largest coefficients.

        Parameters
        ----------
        n_coefficients : int, default=10
            How many of the largest coefficients to list, with their odds ratios.

        Returns
        -------
        Summary
            Prints as text; notebooks show it as HTML.

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn_xent import CrossEntropyClassifier
        >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
        >>> summary = CrossEntropyClassifier(C=0.1).fit(X, y).summary(n_coefficients=1)
        >>> summary.facts["penalty"]
        'ridge, C = 0.1, which is lambda = 1 / (C S) = 0.01757 with S = 569'
        >>> summary.rows
        [('worst texture', '-0.3276', '0.7206')]
        """
        check_is_fitted(self)
        check_integer("n_coefficients", n_coefficients, 0)
        return summarise(self, self._terms, self._multinomial, n_coefficients)


def _suspicious(design, solution, multinomial):
    """Whether a fit without penalty shows signs of separation.

    A gap proven by self-concordance proves that there is an optimum; one that is the objective itself does not, nor one in
    which directions of no curvature had no part: far out, rounding takes curvature away.
    """
    if solution.status != Status.CONVERGED or solution.value <= 2 * solution.gap:
        return True
    scores = design.dot(solution.coef, solution.intercept)
    largest = (np.ptp(scores, axis=1) if multinomial else np.abs(scores)).max()
    return largest > SUSPICIOUS and not has_minimum(solution.point, solution.curvature)
