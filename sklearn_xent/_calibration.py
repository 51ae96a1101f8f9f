"""How far a classifier's confidence can be trusted, in numbers with an interval."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import log_loss
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import column_or_1d

from sklearn_xent._checks import check_integer, check_real


@dataclass(frozen=True)
class CalibrationSummary:
    """Calibration of a classifier on some data.

    Attributes
    ----------
    n_rows : int
    accuracy, mean_confidence : float
        Share of the rows whose likeliest class (the first among equals) is right, and the mean of its probability.
    brier_score : float
        Mean squared distance of the probabilities from the truth, summed over the classes (Brier 1950); 0 to 2.
    log_loss : float
    expected_calibration_error : float
        Mean distance between confidence and accuracy over bins of confidence (Naeini, Cooper & Hauskrecht 2015).
    interval : tuple of float
        Percentiles of that over bootstrap samples: its spread, not a confidence interval of a true error. Both lean upwards,
        because noise in a bin never cancels: of true probabilities the error is above zero.
    """

    n_rows: int
    accuracy: float
    mean_confidence: float
    brier_score: float
    log_loss: float
    expected_calibration_error: float
    interval: tuple

    def __str__(self):
        low, high = self.interval
        return (
            f"{self.n_rows:,} rows: accuracy {self.accuracy:.4f}, mean confidence {self.mean_confidence:.4f}, Brier score "
            f"{self.brier_score:.4f}, log-loss {self.log_loss:.4f}, expected calibration error "
            f"{self.expected_calibration_error:.4f} ({low:.4f} to {high:.4f})"
        )


def calibration_summary(estimator, X, y, *, n_bins=10, n_resamples=1000, level=0.95, random_state=None):
    """Tell how far a fitted classifier's probabilities can be trusted on given data, best some that it has not seen.

    Parameters
    ----------
    estimator : fitted classifier
        With `predict_proba` and `classes_`.
    X, y
        Data.
    n_bins : int, default=10
        Bins of equal width for the calibration error.
    n_resamples : int, default=1000
        Bootstrap samples of the rows.
    level : float, default=0.95
        Share of the bootstrap samples between the ends of the interval.
    random_state : int, RandomState instance or None
        For the bootstrap.

    Returns
    -------
    CalibrationSummary

    Raises
    ------
    ValueError
        If y has classes that the estimator does not know.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_xent import CrossEntropyClassifier
    >>> from sklearn_xent.inference import calibration_summary
    >>> X, y = load_digits(return_X_y=True)
    >>> fit = CrossEntropyClassifier(multi_class="multinomial", C=1e-3).fit(X[:1000], y[:1000])
    >>> found = calibration_summary(fit, X[1000:], y[1000:], random_state=0)
    >>> round(found.accuracy, 2), round(found.expected_calibration_error, 2)
    (0.92, 0.14)
    """
    check_integer("n_bins", n_bins, 1)
    check_integer("n_resamples", n_resamples, 1)
    check_real("level", level, "a number between 0 and 1", lambda v: 0 < v < 1)
    rng, p, y = check_random_state(random_state), estimator.predict_proba(X), column_or_1d(y)
    check_consistent_length(p, y)
    truth = y[:, None] == estimator.classes_
    if not truth.any(axis=1).all():
        raise ValueError(f"y has labels that are not among the classes of the estimator, {estimator.classes_.tolist()}.")
    confidence, right = p.max(axis=1), truth[np.arange(len(p)), p.argmax(axis=1)]
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    surplus = confidence - right

    def error(rows):
        return float(np.abs(np.bincount(bins[rows], surplus[rows])).sum() / len(rows))

    resampled = [error(rng.randint(len(p), size=len(p))) for _ in range(n_resamples)]
    ends = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return CalibrationSummary(
        n_rows=len(p),
        accuracy=float(right.mean()),
        mean_confidence=float(confidence.mean()),
        brier_score=float(np.square(p - truth).sum(axis=1).mean()),
        log_loss=float(log_loss(y, p, labels=estimator.classes_)),
        expected_calibration_error=error(np.arange(len(p))),
        interval=(float(ends[0]), float(ends[1])),
    )
