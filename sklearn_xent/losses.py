"""The logistic function, softmax and their cross-entropies, from scores.

Everything here works on raw scores `z` (the log-odds, or the logits) and never on probabilities, so that no finite
score produces ``log(0)``.
"""

import numpy as np
from scipy.special import expit, log_expit
from scipy.special import log_softmax as _log_softmax
from scipy.special import softmax as _softmax

from sklearn_xent._losses import Softmax

__all__ = [
    "log_logistic",
    "log_softmax",
    "logistic",
    "logistic_cross_entropy",
    "logistic_cross_entropy_curvature",
    "logistic_cross_entropy_gradient",
    "logistic_derivative",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_curvature",
    "softmax_cross_entropy_gradient",
]


def logistic(z):
    """Logistic function ``1 / (1 + exp(-z))``.

    Parameters
    ----------
    z : array_like
        Scores (log-odds), any shape.

    Returns
    -------
    ndarray or float
        Probabilities, the shape of `z`.

    Examples
    --------
    >>> from sklearn_xent.losses import logistic
    >>> float(logistic(0.0))
    0.5
    """
    return expit(_floating(z))


def log_logistic(z):
    """Logarithm of the logistic function, finite at every finite score.

    Parameters
    ----------
    z : array_like
        Scores, any shape.

    Returns
    -------
    ndarray or float
        ``log(logistic(z))``, the shape of `z`.

    Examples
    --------
    >>> from sklearn_xent.losses import log_logistic
    >>> float(log_logistic(-10000.0))
    -10000.0
    """
    return log_expit(_floating(z))


def logistic_derivative(z):
    """Derivative of the logistic function, ``logistic(z) * logistic(-z)``.

    Parameters
    ----------
    z : array_like
        Scores, any shape.

    Returns
    -------
    ndarray or float
        Derivatives, the shape of `z`; at most 1/4, reached at 0.

    Examples
    --------
    >>> from sklearn_xent.losses import logistic_derivative
    >>> float(logistic_derivative(0.0))
    0.25
    """
    z = _floating(z)
    return expit(z) * expit(-z)


def logistic_cross_entropy(z, t):
    """Binary cross-entropy of scores `z` against targets `t`.

    ``-t log(logistic(z)) - (1 - t) log(logistic(-z))``, in nats, of which `log_logistic` loses no digit.

    Parameters
    ----------
    z : array_like
        Scores, any shape.
    t : array_like
        Targets in [0, 1], broadcastable with `z`.

    Returns
    -------
    ndarray or float
        Losses, one an element.

    Raises
    ------
    ValueError
        If a target lies outside [0, 1].

    Examples
    --------
    >>> from sklearn_xent.losses import logistic_cross_entropy
    >>> logistic_cross_entropy([10000.0, -10000.0], [1, 1])
    array([    0., 10000.])
    """
    z, t = _floating(z), _targets(t)
    # Two terms of one sign: nothing cancels, whichever class is right.
    return -(t * log_expit(z) + (1 - t) * log_expit(-z))


def logistic_cross_entropy_gradient(z, t):
    """Derivative of `logistic_cross_entropy` in `z`: ``logistic(z) - t``.

    Parameters
    ----------
    z : array_like
        Scores, any shape.
    t : array_like
        Targets in [0, 1], broadcastable with `z`.

    Returns
    -------
    ndarray or float
        Derivatives, one an element.

    Raises
    ------
    ValueError
        If a target lies outside [0, 1].

    Examples
    --------
    >>> from sklearn_xent.losses import logistic_cross_entropy_gradient
    >>> float(logistic_cross_entropy_gradient(0.0, 1))
    -0.5
    """
    z, t = _floating(z), _targets(t)
    return (1 - t) * expit(z) - t * expit(-z)


def logistic_cross_entropy_curvature(z, t=None):
    """Second derivative of `logistic_cross_entropy` in `z`; it does not depend on the target.

    Parameters
    ----------
    z : array_like
        Scores, any shape.
    t : ignored
        Accepted so that the three functions have one signature.

    Returns
    -------
    ndarray or float
        Second derivatives, the shape of `z`, in [0, 1/4].

    Examples
    --------
    >>> from sklearn_xent.losses import logistic_cross_entropy_curvature
    >>> float(logistic_cross_entropy_curvature(0.0))
    0.25
    """
    return logistic_derivative(z)


def softmax(z):
    """Softmax over the last axis.

    Parameters
    ----------
    z : array_like of shape (..., n_classes)
        Scores (logits).

    Returns
    -------
    ndarray of the shape of `z`
        Probabilities; the last axis sums to one.

    Examples
    --------
    >>> from sklearn_xent.losses import softmax
    >>> softmax([[0.0, 0.0, 10000.0]])
    array([[0., 0., 1.]])
    """
    return _softmax(_floating(z), axis=-1)


def log_softmax(z):
    """Logarithm of the softmax over the last axis, finite at every finite score.

    Parameters
    ----------
    z : array_like of shape (..., n_classes)
        Scores (logits).

    Returns
    -------
    ndarray of the shape of `z`
        ``log(softmax(z))``.

    Examples
    --------
    >>> from sklearn_xent.losses import log_softmax
    >>> log_softmax([[0.0, 10000.0]])
    array([[-10000.,      0.]])
    """
    return _log_softmax(_floating(z), axis=-1)


def softmax_cross_entropy(z, y):
    """Cross-entropy of softmax scores against integer labels, in nats.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)
        Scores (logits).
    y : array_like of int, shape (n_samples,)
        Index of the true class of each row.

    Returns
    -------
    ndarray of shape (n_samples,)
        Losses ``log(sum_k exp(z_k)) - z_y``.

    Raises
    ------
    ValueError
        If shapes do not fit or a label is not a column of `z`.

    Examples
    --------
    >>> from sklearn_xent.losses import softmax_cross_entropy
    >>> softmax_cross_entropy([[0.0, 0.0], [0.0, -10000.0]], [0, 1])
    array([6.93147181e-01, 1.00000000e+04])
    """
    z, y = _logits(z, y)
    loss = Softmax(y, z.shape[1])
    return loss.values(z, loss.residuals(z))[:, 0]


def softmax_cross_entropy_gradient(z, y):
    """Gradient of `softmax_cross_entropy` in `z`: ``softmax(z) - onehot(y)``.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)
        Scores (logits).
    y : array_like of int, shape (n_samples,)
        Index of the true class of each row.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Gradients; each row sums to zero.

    Raises
    ------
    ValueError
        If shapes do not fit or a label is not a column of `z`.

    Examples
    --------
    >>> from sklearn_xent.losses import softmax_cross_entropy_gradient
    >>> softmax_cross_entropy_gradient([[0.0, 0.0]], [1])
    array([[ 0.5, -0.5]])
    """
    z, y = _logits(z, y)
    return Softmax(y, z.shape[1]).residuals(z)


def softmax_cross_entropy_curvature(z, y=None):
    """Hessian of `softmax_cross_entropy` in the scores of each row: ``diag(p) - p pᵀ``.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)
        Scores (logits).
    y : ignored
        Accepted so that the three functions have one signature.

    Returns
    -------
    ndarray of shape (n_samples, n_classes, n_classes)
        Positive semi-definite matrices; the constant vector is in the kernel of each.

    Examples
    --------
    >>> from sklearn_xent.losses import softmax_cross_entropy_curvature
    >>> softmax_cross_entropy_curvature([[0.0, 0.0]])
    array([[[ 0.25, -0.25],
            [-0.25,  0.25]]])
    """
    p = softmax(z)
    return p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])


def _floating(z):
    z = np.asarray(z)
    return z if np.issubdtype(z.dtype, np.floating) else z.astype(np.float64)


def _targets(t):
    t = _floating(t)
    if not np.all((t >= 0) & (t <= 1)):
        raise ValueError("Targets t must lie between 0 and 1; got values outside.")
    return t


def _logits(z, y):
    z, y = _floating(z), np.asarray(y)
    if z.ndim != 2 or y.shape != z.shape[:1]:
        raise ValueError(
            f"softmax needs scores of shape (n_samples, n_classes) and one label a row; got {z.shape} and {y.shape}."
        )
    if not np.issubdtype(y.dtype, np.integer) or np.any((y < 0) | (y >= z.shape[1])):
        raise ValueError(f"Labels y must be integers from 0 to {z.shape[1] - 1}, the columns of z.")
    return z, y
