"""Undecided cases: a classifier that abstains where it is not sure enough (Chow 1970)."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_array, get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d

from sklearn_xent._checks import check_real
from sklearn_xent._version import VersionedPickle

TARGETS = {"max_error": "from 0 to 1", "coverage": "above 0, up to 1", "threshold": "from 0 to 1"}


def risk_coverage_curve(y_true, y_proba, *, classes=None, sample_weight=None):
    """Error rate of the accepted cases against their share, for every threshold of confidence.

    Confidence is the highest probability of a row. A case is accepted if its confidence is at least the threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples, n_classes)
        Probabilities.
    classes : array-like of shape (n_classes,), optional
        Labels of the columns; the sorted labels of `y_true` if not given.
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    coverage : ndarray of shape (n_thresholds,)
        Share of the accepted, rising to one.
    risk : ndarray of shape (n_thresholds,)
        Error rate of the accepted.
    thresholds : ndarray of shape (n_thresholds,)
        Confidences, falling.

    References
    ----------
    Chow (1970), "On optimum recognition error and reject tradeoff", IEEE Transactions on Information Theory 16.
    El-Yaniv & Wiener (2010), "On the foundations of noise-free selective classification", JMLR 11, for the curve.

    Examples
    --------
    >>> from sklearn_xent import risk_coverage_curve
    >>> risk_coverage_curve([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    (array([0.33333333, 0.66666667, 1.        ]), array([0.        , 0.        , 0.33333333]), array([0.9, 0.8, 0.6]))
    """
    y_true, y_proba = column_or_1d(y_true), check_array(y_proba, dtype=float, input_name="y_proba")
    classes = np.unique(y_true) if classes is None else np.asarray(classes)
    if y_proba.shape != (len(y_true), len(classes)):
        raise ValueError(
            f"y_proba must have a row for each of {len(y_true)} labels and a column for each of the classes "
            f"{classes.tolist()}; its shape is {y_proba.shape}. Say with classes= what the columns are."
        )
    if not np.isin(y_true, classes).all():
        raise ValueError(f"y_true has labels that are not among the classes, {classes.tolist()}.")
    weight = _check_sample_weight(sample_weight, y_proba, ensure_non_negative=True)
    return _curve(y_proba.max(axis=1), classes[y_proba.argmax(axis=1)] != y_true, weight)


def _curve(confidence, wrong, weight):
    """Coverage, risk and thresholds, from each row's confidence and whether it is wrong."""
    if not weight.any():
        raise ValueError("sample_weight is zero everywhere: no row has a say.")
    order = np.argsort(-confidence, kind="stable")
    accepted, errors = np.cumsum(weight[order]), np.cumsum((weight * wrong)[order])
    last = np.append(np.diff(confidence[order]) != 0, True)  # equals are accepted together
    last &= accepted > 0
    return (accepted / accepted[-1])[last], errors[last] / accepted[last], confidence[order][last]


class RejectOptionClassifier(VersionedPickle, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Abstain where the highest probability is too low, by a threshold that meets a target.

    The threshold is chosen out of fold: the lowest whose accepted cases have an error rate (of what the estimator predicts)
    of at most `max_error`, or the highest that accepts the share `coverage`. Chow's rule (1970): where probabilities are true,
    no other rule of the same coverage has fewer errors.

    Parameters
    ----------
    estimator : classifier
        With `predict_proba`. A `sklearn.frozen.FrozenEstimator` is not fitted again.
    max_error : float, optional
        Highest error rate of the accepted cases.
    coverage : float, optional
        Share of the cases to accept.
    threshold : float, optional
        Lowest confidence to accept, given outright. At most one of the three; without any, nothing is rejected.
    reject_label : object, default=None
        What `predict` says where it abstains; no class may have this label. Scorers and confusion matrices want one of the
        classes' type, -1 or "undecided".
    cv : int, cross-validation generator or iterable, default=None
        Folds for the choice of the threshold; None is five.

    Attributes
    ----------
    estimator_ : classifier
        Fitted to all rows.
    classes_ : ndarray of shape (n_classes,)
    threshold_ : float
        Lowest confidence that is accepted; infinite where no threshold meets `max_error`.
    coverage_, error_ : float
        Share of the accepted and their error rate, out of fold; NaN where `threshold` was given.
    n_features_in_, feature_names_in_
        Of the estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn_xent import CrossEntropyClassifier, RejectOptionClassifier
    >>> X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    >>> careful = RejectOptionClassifier(CrossEntropyClassifier(C=0.01), max_error=0.02, reject_label=-1)
    >>> said = careful.fit(X_train, y_train).predict(X_test)
    >>> accepted = said != -1
    >>> bool(accepted.mean() > 0.8), bool((said[accepted] != y_test[accepted]).mean() < 0.03)
    (True, True)
    """

    def __init__(self, estimator, *, max_error=None, coverage=None, threshold=None, reject_label=None, cv=None):
        self.estimator = estimator
        self.max_error = max_error
        self.coverage = coverage
        self.threshold = threshold
        self.reject_label = reject_label
        self.cv = cv

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        return tags

    def fit(self, X, y, sample_weight=None):
        """Fit the estimator to all rows, and choose the threshold on probabilities out of fold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
            Handed to the estimator, and to the error rate and the coverage.

        Returns
        -------
        RejectOptionClassifier

        Raises
        ------
        ValueError
            If a target is out of its range, more than one is given, or a class has the label of rejection.

        Warns
        -----
        UserWarning
            If no threshold meets `max_error`: everything is rejected.
        """
        target = self._target()
        if np.ndim(self.reject_label):
            raise ValueError(f"reject_label must be one label; got {self.reject_label!r}.")
        X, y = indexable(X, y)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        estimator = clone(self.estimator).fit(X, y, **weights)
        if not hasattr(estimator, "predict_proba"):
            raise ValueError(
                f"{type(estimator).__name__} has no predict_proba: wrap it in sklearn.calibration.CalibratedClassifierCV."
            )
        if any(label == self.reject_label for label in estimator.classes_.tolist()):
            raise ValueError(f"reject_label={self.reject_label!r} is a class in y; choose a label that is none.")
        threshold, coverage, error = self._choose(target, X, column_or_1d(y), sample_weight)
        self.estimator_, self.classes_ = estimator, estimator.classes_
        self.threshold_, self.coverage_, self.error_ = threshold, coverage, error
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        return self

    def _target(self):
        given = [name for name in TARGETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"Give one of max_error, coverage and threshold; got {' and '.join(given)}.")
        for name in given:
            least = np.nextafter(0, 1) if name == "coverage" else 0
            check_real(name, getattr(self, name), f"a number {TARGETS[name]}", lambda v, least=least: least <= v <= 1)
        return given[0] if given else None

    def _choose(self, target, X, y, sample_weight):
        """Return the threshold, and the coverage and error that it has out of fold."""
        if target in (None, "threshold"):
            return (0.0 if target is None else float(self.threshold)), np.nan, np.nan
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        rows, confidence, wrong = self._out_of_fold(X, y, weight)
        coverage, risk, thresholds = _curve(confidence, wrong, np.ones(len(rows)) if weight is None else weight[rows])
        good = risk <= self.max_error if target == "max_error" else coverage >= self.coverage
        if not good.any():
            warnings.warn(
                f"No threshold has an error rate of at most {self.max_error:g} out of fold (the least is {risk.min():.3g}): "
                "everything is rejected. Raise max_error, or use a better estimator.",
                stacklevel=3,
            )
            return np.inf, 0.0, np.nan
        k = np.flatnonzero(good)[-1 if target == "max_error" else 0]
        lowest = 0.0 if k == len(thresholds) - 1 else float(thresholds[k])  # all are accepted: so are others like them
        return lowest, float(coverage[k]), float(risk[k])

    def _out_of_fold(self, X, y, weight):
        """Rows that some fold holds out, their confidence, and whether they are wrong; labels stay the user's."""
        parts = []
        for train, test in check_cv(self.cv, y, classifier=True).split(X, y):
            weights = {} if weight is None else {"sample_weight": weight[train]}
            fold, held = clone(self.estimator).fit(_safe_indexing(X, train), y[train], **weights), _safe_indexing(X, test)
            parts.append((test, fold.predict_proba(held).max(axis=1), fold.predict(held) != y[test]))
        return map(np.concatenate, zip(*parts, strict=True))

    def accepts(self, X):
        """Whether each row is decided.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of bool, shape (n_samples,)
        """
        return self.predict_proba(X).max(axis=1) >= self.threshold_

    def predict(self, X):
        """Labels, `reject_label` where the highest probability is below the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Of the labels' type where it can hold `reject_label`, else of objects.
        """
        check_is_fitted(self)
        labels = self.estimator_.predict(X)
        if self.threshold_ <= 0:
            return labels
        label = np.asarray(self.reject_label)
        same = label.ndim == 0 and label.dtype.kind == labels.dtype.kind
        labels = labels.astype(np.result_type(labels, label) if same else object)
        labels[~self.accepts(X)] = self.reject_label
        return labels

    def score(self, X, y, sample_weight=None):
        """Share of the rows that are accepted and right: abstaining counts as wrong.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        check_is_fitted(self)
        right = self.estimator_.predict(X) == np.asarray(y)
        return float(np.average(right & self.accepts(X), weights=sample_weight))

    def predict_proba(self, X):
        """Probabilities by the estimator, of every row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(lambda self: hasattr(self.estimator, "decision_function"))
    def decision_function(self, X):
        """Scores by the estimator, of every row."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)
