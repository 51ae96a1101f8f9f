"""Standard errors, tests and intervals for fitted models: what the coefficients' uncertainty is, kept apart from the estimator.

References
----------
McCullagh & Nelder (1989), Generalized Linear Models, sections 4.4 and 6.2 (information).
White (1982), "Maximum likelihood estimation of misspecified models", Econometrica 50 (the sandwich).
Liang & Zeger (1986), "Longitudinal data analysis using generalized linear models", Biometrika 73 (clusters).
Prentice & Pyke (1979), "Logistic disease incidence models and case-control studies", Biometrika 66 (samples drawn by class).
Venzon & Moolgavkar (1988), "A method for computing profile-likelihood-based confidence intervals", Applied Statistics 37.
"""

import numbers
from copy import copy
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats
from scipy.special import expit
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_xent import _targets
from sklearn_xent._calibration import CalibrationSummary, calibration_summary
from sklearn_xent._checks import check_option, check_real
from sklearn_xent._data import ACCEPTED, checked
from sklearn_xent._held import held_log_likelihood
from sklearn_xent._likelihood import likelihoods
from sklearn_xent._predictions import LinearPredictions
from sklearn_xent._tables import Table

__all__ = ["CalibrationSummary", "ChiSquaredTest", "Inference", "Table", "calibration_summary"]

COVARIANCES = ("classical", "robust", "HC0", "HC1", "cluster")
PRECISE = 1e-12  # tolerance of fits whose likelihoods are compared
SINGULAR = 1e-10  # eigenvalue of a correlation matrix that counts as zero
FAR = 0.5  # standard errors from the optimum on the data given, beyond which they are other data


class ChiSquaredTest(NamedTuple):
    """A test's statistic, its degrees of freedom and its p-value by the chi-squared distribution."""

    statistic: float
    df: int
    p_value: float


class Inference:
    """Uncertainty of a fitted `CrossEntropyClassifier`, from the data it was fitted to.

    Parameters
    ----------
    fitted : CrossEntropyClassifier
        Fitted without an l1 penalty.
    X, y, sample_weight
        What it was fitted to.
    covariance : {"classical", "robust", "HC0", "HC1", "cluster"}, default="classical"
        Of the coefficients. "classical" is the inverse information: right for a well-specified model; of a ridge fit it is
        the Laplace (posterior) covariance. "HC0" is the sandwich, right whatever the truth if rows are
        independent; "HC1", which "robust" means, times ``n / (n - parameters)``. "cluster" sums the sandwich's scores over
        `groups`, times ``G / (G - 1) (n - 1) / (n - parameters)``. A fit with `prior` says that the sample was drawn class by
        class: its classes' numbers then do not vary, and intercepts are as much surer.
    groups : array-like of shape (n_samples,), optional
        The group of each row, for "cluster".
    weights : {"frequency", "probability"}, default="frequency"
        What `sample_weight` means: that many equal rows, or the inverse of the probability of being sampled (which
        "classical" has no answer to).

    Attributes
    ----------
    names_ : list of str
        Parameters of an output: "(intercept)" if there is one, and the columns.
    outputs_ : list of str
        What each block of parameters is about: the class whose log-odds they are, or a contrast of two.
    params_ : ndarray of shape (n_outputs, n_names)
        Estimates, to the last digits whatever the fit's `tol`. Softmax: contrasts of each class but the first with the first.
    covariance_ : ndarray of shape (n_outputs * n_names, n_outputs * n_names)
        Their covariance, output by output; One-vs-Rest tasks are fitted apart, the covariance between them is left at zero.
    kind_ : str
        What the covariance is, in words.

    Raises
    ------
    ValueError, TypeError
        If the model has an l1 penalty, has not converged, is separated, or has collinear columns (the message names them);
        if the data are not those of the fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> from sklearn_xent.inference import Inference
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = X[["mean radius", "mean texture"]]
    >>> inference = Inference(CrossEntropyClassifier(C=np.inf).fit(X, y), X, y)
    >>> frame = inference.table().to_frame()
    >>> frame.loc["log-odds of 1", ["coefficient", "std. error", "lower", "upper"]].round(3)  # doctest: +NORMALIZE_WHITESPACE
                  coefficient  std. error   lower   upper
    name
    (intercept)        19.849       1.774  16.373  23.326
    mean radius        -1.057       0.101  -1.256  -0.858
    mean texture       -0.218       0.037  -0.291  -0.145
    """

    def __init__(self, fitted, X, y, sample_weight=None, *, covariance="classical", groups=None, weights="frequency"):
        check_option("covariance", covariance, COVARIANCES)
        check_option("weights", weights, ("frequency", "probability"))
        _refuse(fitted, covariance, weights, groups)
        X, y = validate_data(fitted, X, y, reset=False, **ACCEPTED)
        weight = _targets.check_weights(sample_weight, X.shape[0])
        terms = fitted._terms  # what it was fitted with: parameters may have been set since
        self._fitted, self._X, self._y, self._weight = copy(fitted), X, y, weight  # the estimator may be fitted again
        self._first = int(terms.fit_intercept)
        self._independent = covariance != "cluster" and weights == "frequency" and terms.factors is None
        self._ridge = 0.0 if np.isinf(terms.C) else 1 / terms.C
        features = [str(name) for name in _check_feature_names_in(fitted)]
        self.names_ = ["(intercept)"] * self._first + features
        self._models = likelihoods(fitted, X, y, weight)
        groups = _check_groups(groups, weight)
        parts = [self._covariance_of(model, covariance, groups, weights == "frequency") for model in self._models]
        self.outputs_ = [label for model in self._models for label in model.labels]
        self.params_ = np.vstack([model.params for model in self._models])
        self.covariance_ = _block_diagonal(parts)
        self.kind_ = _kind(covariance, self._ridge > 0, terms.prior is not None)

    def _covariance_of(self, model, covariance, groups, frequency):
        covariance, collinear, distance = model.covariance(covariance, groups, frequency, self._ridge)
        if covariance is None:
            names = sorted({self.names_[j % len(self.names_)] for j in collinear})
            advice = "Drop them." if self._ridge else "Drop some of them, or fit with a ridge penalty (a finite C)."
            raise ValueError(
                f"Standard errors do not exist: these columns are collinear, or constant: {', '.join(names)}. {advice}"
            )
        if distance > FAR:
            raise ValueError(
                f"The coefficients are {distance:.2g} standard errors from the optimum on these data: give the data (and "
                "weights) that the model was fitted to, or fit with a smaller tol."
            )
        return covariance

    @property
    def standard_errors_(self):
        """Standard errors, shaped as `params_`."""
        return np.sqrt(self.covariance_.diagonal()).reshape(self.params_.shape)

    def table(self, level=0.95):
        """Coefficients with standard errors, z, p, intervals, odds ratios and their intervals.

        Parameters
        ----------
        level : float, default=0.95
            Coverage of the intervals (Wald's).

        Returns
        -------
        Table
            Prints as text, shows as HTML; `to_frame` makes a pandas DataFrame.
        """
        check_level(level)
        b, se = self.params_.ravel(), self.standard_errors_.ravel()
        half = stats.norm.ppf((1 + level) / 2) * se
        z = b / se
        with np.errstate(over="ignore"):
            odds = np.exp([b, b - half, b + half])
        values = np.column_stack([b, se, z, 2 * stats.norm.sf(np.abs(z)), b - half, b + half, *odds])
        return Table(
            self.outputs_, self.names_, values.reshape(*self.params_.shape, -1), f"{self.kind_}; {100 * level:g}% intervals"
        )

    def wald_test(self, features, output=None):
        """Test that the coefficients of some features are zero, by their estimates and covariance.

        Parameters
        ----------
        features : str, int or list of them
            Names or indices of columns.
        output : str, optional
            One of `outputs_`; needed for One-vs-Rest, whose tasks share their rows. Softmax: all together if not given.

        Returns
        -------
        ChiSquaredTest

        Raises
        ------
        ValueError
            If the covariance of what is tested is singular: fewer groups than coefficients.
        """
        columns = self._columns(features) + self._first
        together = output is None and len(self._models) == 1
        outputs = range(len(self.outputs_)) if together else [self._output(output)]
        place = np.concatenate([k * len(self.names_) + columns for k in outputs])
        b, se = self.params_.ravel()[place], self.standard_errors_.ravel()[place]
        correlation = self.covariance_[np.ix_(place, place)] / np.outer(se, se)
        if np.linalg.eigvalsh(correlation)[0] < SINGULAR:
            raise ValueError(f"The covariance of these {len(place)} coefficients is singular: test fewer, or have more groups.")
        return _chi_squared(float(b / se @ np.linalg.solve(correlation, b / se)), len(place))

    def likelihood_ratio_test(self, features, output=None):
        """Test that the coefficients of some features are zero, by refitting without them.

        Parameters
        ----------
        features : str, int or list of them
            Names or indices of columns.
        output : str, optional
            One of `outputs_`; needed for One-vs-Rest. Softmax is tested in all of its contrasts together.

        Returns
        -------
        ChiSquaredTest

        Raises
        ------
        ValueError
            If the model has a penalty, class weights, probability weights or groups: their likelihoods follow no chi-squared.
        """
        if self._ridge:
            raise ValueError(
                "A likelihood ratio has its distribution without penalty only: fit with C=np.inf, or use wald_test."
            )
        self._refuse_dependence()
        if self._fitted._multinomial and output is not None:
            raise ValueError("Without a column softmax loses all of its contrasts: leave output out, or use wald_test.")
        k = 0 if self._fitted._multinomial else self._output(output)
        columns = self._columns(features)
        kept = np.setdiff1d(np.arange(self._X.shape[1]), columns)
        X = self._X[:, kept] if len(kept) else np.zeros((self._X.shape[0], 1))
        smaller = type(self._fitted)(
            C=np.inf,
            fit_intercept=bool(self._first),
            multi_class="multinomial" if self._fitted._multinomial else "ovr",
            tol=PRECISE,
        ).fit(X, self._y, self._weight)
        without, full = likelihoods(smaller, X, self._y, self._weight)[k], self._models[k]
        return _chi_squared(2 * (full.log_likelihood - without.log_likelihood), len(columns) * len(full.labels))

    def profile_interval(self, feature, level=0.95, output=None):
        """Interval of a coefficient by the profile likelihood: the values that a likelihood ratio test does not reject.

        Parameters
        ----------
        feature : str or int
            Name or index of a column.
        level : float, default=0.95
        output : str, optional
            One of `outputs_`; needed for One-vs-Rest.

        Returns
        -------
        lower, upper : float
            With a ridge penalty, of the penalised likelihood.

        Raises
        ------
        ValueError
            For softmax, whose contrasts are not single coefficients: fit the two classes alone, or use `table`. With class
            weights, probability weights or groups: their likelihoods follow no chi-squared.
        """
        check_level(level)
        if not isinstance(feature, str | numbers.Integral):
            raise TypeError(f"feature must be the name or the index of one column; got {feature!r}.")
        if self._fitted._multinomial:
            raise ValueError("Softmax has no profile interval here: fit One-vs-Rest, or the two classes alone, or use table().")
        self._refuse_dependence()
        (j,), k = self._columns(feature), self._output(output)
        model, threshold = self._models[k], stats.chi2.ppf(level, 1)
        estimate, step = float(model.params[0, j + self._first]), 2 * float(self.standard_errors_[k, j + self._first])
        best = model.log_likelihood - self._ridge / 2 * np.sum(np.square(model.coef))

        def excess(value):
            return 2 * (best - held_log_likelihood(model, j, value, self._ridge)) - threshold

        return tuple(_crossing(excess, estimate, sign * step) for sign in (-1, 1))

    def predict_proba_interval(self, X, level=0.95):
        """Intervals of the probabilities of new rows, by the delta method on the scale of log-odds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        level : float, default=0.95

        Returns
        -------
        lower, upper : ndarray of shape (n_samples, n_classes)
            Ends of the intervals, in (0, 1), in the order of `classes_`; each class by itself.

        Raises
        ------
        ValueError
            For One-vs-Rest of three classes and more, whose tasks are normalised together but fitted apart.
        """
        check_level(level)
        if len(self._models) > 1:
            raise ValueError("One-vs-Rest probabilities have no joint covariance; fit multi_class='multinomial'.")
        X = checked(self._fitted, X)
        log_odds, spread = self._models[0].log_odds(X)
        half = stats.norm.ppf((1 + level) / 2) * spread
        return expit(log_odds - half), expit(log_odds + half)

    def _refuse_dependence(self):
        if not self._independent:
            raise ValueError(
                "Likelihoods are compared where rows are independent and weights are repetitions: without class weights, "
                "probability weights and groups. Use table() and wald_test()."
            )

    def _columns(self, features):
        features = [features] if isinstance(features, str | numbers.Integral) else list(features)
        names = self.names_[self._first :]
        found = [names.index(f) if f in names else f for f in features]
        n = len(names)
        bad = [f for f in found if isinstance(f, bool) or not (isinstance(f, numbers.Integral) and 0 <= f < n)]
        if bad or not found or len(set(found)) < len(found):
            raise ValueError(f"features must be names or indices of columns, each once; got {features!r}, known are {names}.")
        return np.array(found)

    def _output(self, output):
        if output is None and len(self.outputs_) == 1:
            return 0
        if output not in self.outputs_:
            raise ValueError(f"output must be one of {self.outputs_}; got {output!r}.")
        return self.outputs_.index(output)


def check_level(level):
    """Raise unless `level` is a coverage between zero and one."""
    check_real("level", level, "a number between 0 and 1", lambda v: 0 < v < 1)


def _refuse(fitted, covariance, weights, groups):
    """Raise where the question has no answer."""
    if not isinstance(fitted, LinearPredictions):
        raise TypeError(f"Inference is of a fitted CrossEntropyClassifier; got {type(fitted).__name__}.")
    check_is_fitted(fitted)
    terms = fitted._terms
    if terms.l1_ratio > 0 and not np.isinf(terms.C):
        raise ValueError(
            "Standard errors after an l1 penalty are not those of the coefficients: it shrinks and selects. Refit the selected "
            "columns with C=np.inf on data that did not select them, or use the bootstrap."
        )
    if fitted.separation_ is not None:
        raise ValueError(f"Standard errors do not exist where there is no optimum. {fitted.separation_.describe()}")
    if fitted.status_ != "converged":
        raise ValueError(
            f"The fit ended {str(fitted.status_)!r}: standard errors need an optimum. Raise max_iter, or use solver='auto'."
        )
    if terms.factors is not None and np.isnan(terms.factors).any():
        raise ValueError("The rest of this One-vs-Rest task has several class weights: ask for the inference of the whole fit.")
    if covariance == "classical" and (terms.factors is not None or weights == "probability"):
        raise ValueError(
            "Class weights and probability weights are no repetitions of rows: their information is not a covariance. Use "
            "covariance='robust' (or 'cluster')."
        )
    if (covariance == "cluster") != (groups is not None):
        raise ValueError("covariance='cluster' needs groups, and groups need covariance='cluster'.")


def _check_groups(groups, weight):
    if groups is None:
        return None
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    if len(codes) != len(weight):
        raise ValueError(f"groups must give the group of each of {len(weight)} rows; there are {len(codes)}.")
    return codes


def _kind(covariance, ridge, by_class):
    classical = "Laplace (posterior) covariance" if ridge else "inverse information (classical)"
    names = {"classical": classical, "HC0": "sandwich (HC0)", "cluster": "sandwich of group sums (cluster-robust)"}
    of = f"{names.get(covariance, 'sandwich (HC1)')} of the {'ridge fit' if ridge else 'fit'}"
    return f"{of}, the sample drawn class by class" if by_class else of


def _chi_squared(statistic, df):
    return ChiSquaredTest(statistic, df, float(stats.chi2.sf(statistic, df)))


def _crossing(excess, estimate, step):
    """Where `excess` rises above zero on the way from the estimate: of a likelihood that has an optimum it does."""
    inside = estimate
    while excess(inside + step) <= 0:
        inside, step = inside + step, 2 * step
    return float(optimize.brentq(excess, inside, inside + step, xtol=1e-9 * abs(step), rtol=1e-12))


def _block_diagonal(parts):
    size = sum(map(len, parts))
    whole, start = np.zeros((size, size)), 0
    for part in parts:
        whole[start : start + len(part), start : start + len(part)] = part
        start += len(part)
    return whole
