"""Whether a hyperplane parts the classes."""

from sklearn_xent._classifier import CrossEntropyClassifier
from sklearn_xent._parameters import check_params
from sklearn_xent._separation import Separation, SeparationWarning

__all__ = ["Separation", "SeparationWarning", "find_separation"]


def find_separation(X, y, sample_weight=None, *, multi_class="ovr", fit_intercept=True):
    """Look for a hyperplane that parts the classes, so that cross-entropy without a penalty has no minimum.

    Decided by linear programming (Konis 2007), exactly but for rounding: a row counts as on the border within 1e-9 of the
    size of its terms.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative row weights; rows of weight zero do not count.
    multi_class : {"ovr", "multinomial"}, default="ovr"
        For three classes and more: one binary task a class, or softmax.
    fit_intercept : bool, default=True
        Whether scores have an intercept.

    Returns
    -------
    Separation or None
        With attributes `kind` ("complete" or "quasi-complete"), `direction`, `intercept` and `features`; None where the classes
        overlap.

    Raises
    ------
    ValueError, TypeError
        If an argument is not what it may be.

    Examples
    --------
    >>> from sklearn_xent import find_separation
    >>> found = find_separation([[1.0, 0.0], [2.0, 1.0], [8.0, 1.0], [9.0, 0.0]], [0, 0, 1, 1])
    >>> found.kind, found.features
    ('complete', [0])
    >>> find_separation([[1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1]) is None
    True
    """
    probe = CrossEntropyClassifier(multi_class=multi_class, fit_intercept=fit_intercept)
    check_params(probe)
    X, _, targets = probe._check_data(X, y, sample_weight)
    probe._check_finite(X)
    return probe._separation(X, targets)
