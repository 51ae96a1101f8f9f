"""From a linear classifier's scores to log-probabilities, labels and margins."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_xent import _targets
from sklearn_xent._data import checked
from sklearn_xent._design import as_design


class LinearPredictions:
    """Predictions of an estimator with `coef_`, `intercept_`, `classes_` and `_multinomial`; ties go to the first class."""

    def _scores(self, X):
        check_is_fitted(self)
        return as_design(checked(self, X)).dot(self._dense_coef(), self.intercept_)

    def _dense_coef(self):
        return self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_

    def decision_function(self, X):
        """Scores: log-odds of the second class for two classes, one column a class otherwise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores.
        """
        return _targets.decision(self._scores(X))

    def predict_log_proba(self, X):
        """Log-probabilities, computed from the scores: finite at every finite score.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities, in the order of `classes_`.
        """
        return _targets.log_probabilities(self._scores(X), self._multinomial)

    def predict_proba(self, X):
        """Probabilities; One-vs-Rest scores are normalised over the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; each row sums to one.
        """
        return np.exp(self.predict_log_proba(X))

    def predict(self, X):
        """Labels of the highest score, which is the largest probability's; the first of `classes_` among equals.

        Scores decide, because far from the boundary the probabilities of several classes round to the same number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        scores = self._scores(X)
        return self.classes_[_targets.likeliest(scores)]

    def score(self, X, y, sample_weight=None):
        """Share of the rows whose label is predicted: the mean accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights of the mean.

        Returns
        -------
        float
            From 0 to 1.
        """
        check_is_fitted(self)
        labels = np.asarray(y)
        if sample_weight is not None or labels.ndim != 1 or not _integral(labels) or not _integral(self.classes_):
            return super().score(X, y, sample_weight)
        # Integers are compared as they are: asking what kind of target they may be takes a quarter of a small fit.
        predicted = self.predict(X)
        check_consistent_length(labels, predicted)
        return float(np.mean(predicted == labels))

    def decision_margin(self, X):
        """By how much the likeliest class leads: the difference of the two highest log-probabilities.

        Zero is a tie (or a difference lost in rounding), which `predict` gives to the first of `classes_` of equal scores;
        ``log(10)`` says ten times as likely as any other.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Margins, at least zero.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_xent import CrossEntropyClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> margin = CrossEntropyClassifier().fit(X, y).decision_margin(X)
        >>> int((margin < 0.5).sum()), bool(margin.min() >= 0)
        (18, True)
        """
        scores = self._scores(X)
        return _targets.margins(scores, self._multinomial)

    def sparsify(self):
        """Store `coef_` as a CSR matrix: smaller where a lasso set most of it to zero.

        Returns
        -------
        CrossEntropyClassifier
            This estimator.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self):
        """Store `coef_` as an array again.

        Returns
        -------
        CrossEntropyClassifier
            This estimator.
        """
        check_is_fitted(self)
        self.coef_ = self._dense_coef()
        return self


def _integral(labels):
    return labels.dtype.kind in "biu"
