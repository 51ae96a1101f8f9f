"""Labels and class weights in; a loss with its row weights, probabilities and labels out."""

import numbers
from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit, log_softmax
from sklearn.utils import check_array

from sklearn_xent._linalg import weighted_counts
from sklearn_xent._losses import Logistic, Softmax


@dataclass
class Targets:
    """What `y` and the weights mean for the objective.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Labels with positive total weight, sorted.
    loss : Logistic or Softmax
    weights : ndarray of shape (n_samples, 1) or (n_samples, n_classes)
        Read-only; every column sums to one. Equal ones are one number in memory.
    total : float
        Sum of the weights before they were normalised: S of the objective.
    shares : ndarray of shape (n_classes,)
        Shares of the classes by sample weight, class weights aside; they sum to one.
    factors : ndarray of shape (n_classes,) or (n_classes, 2), or None
        Class weights, on top of the rows' own: of each class, or of each class and its rest; None where all are one.
    dropped : list
        Labels in `y` that have no weight: their rows are as good as absent.
    """

    classes: np.ndarray
    loss: Logistic | Softmax
    weights: np.ndarray
    total: float
    shares: np.ndarray
    factors: np.ndarray | None
    dropped: list


def encode(y, sample_weight, class_weight, multi_class):
    """Code labels and weights.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
        Non-negative.
    class_weight : None, "balanced" or dict
    multi_class : {"ovr", "multinomial"}

    Returns
    -------
    Targets

    Raises
    ------
    ValueError
        If fewer than two classes have weight, or `class_weight` weights none of them.
    """
    labels, codes = _coded(y)
    largest = float(sample_weight.max(initial=0))
    if largest == 0:
        raise ValueError("sample_weight is zero everywhere; at least two classes need rows with a positive weight.")
    weights = sample_weight if largest == 1 else sample_weight / largest  # so that no sum overflows
    sizes, factors = weighted_counts(codes, weights, len(labels)), None
    sums = sizes
    if isinstance(class_weight, dict):
        factors = _factors(labels, class_weight)
        most = max(float(factors.max()), 1e-300)
        weights, sums, largest = weights * (factors / most)[codes], sizes * (factors / most), largest * most
    kept, codes = _weighted_classes(labels, codes, sums)
    dropped, labels, sizes = labels[~kept].tolist(), labels[kept], sizes[kept]
    factors = factors if factors is None else factors[kept]
    multinomial = multi_class == "multinomial" and len(labels) > 2
    loss = Softmax(codes, len(labels)) if multinomial else Logistic(_signs(codes, len(labels)))
    columns = weights[:, None]
    if class_weight == "balanced":
        columns = _balanced_tasks(columns, loss.signs < 0) if not multinomial else _balanced(weights, codes)
        factors = _balancing(codes, weights, pairs=not multinomial and len(labels) > 2)
    total = float(columns[:, 0].sum())
    return Targets(labels, loss, _normalised(columns), total * largest, sizes / sizes.sum(), factors, dropped)


def check_weights(sample_weight, n_samples):
    """Return row weights as an array of floats; raises ValueError unless they are finite, non-negative, one a row."""
    if sample_weight is None:
        return np.broadcast_to(1.0, n_samples)  # one number: of data with few columns weights would be a large part
    weights = np.asarray(sample_weight)
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight must have the shape ({n_samples},), one weight a row; got {weights.shape}.")
    try:
        weights = check_array(weights, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"sample_weight must be finite non-negative numbers: {error}") from error
    if np.any(weights < 0):
        raise ValueError(f"sample_weight must not be negative; its smallest value is {weights.min():g}.")
    return weights


def decision(scores):
    """Scores as scikit-learn shapes them: one column is a vector."""
    return scores[:, 0] if scores.shape[1] == 1 else scores


def log_probabilities(scores, multinomial):
    """Log-probabilities of the classes (n_samples, n_classes) from scores, finite at every finite score.

    One-vs-Rest probabilities are normalised as logarithms, so that underflow of all classes is no 0 / 0.
    """
    if not multinomial and scores.shape[1] == 1:
        return log_expit(np.hstack([-scores, scores]))
    return log_softmax(_before_normalising(scores, multinomial), axis=1)


def margins(scores, multinomial):
    """Difference of the two highest log-probabilities; what normalises them cancels, and would cost digits."""
    two = np.partition(_before_normalising(scores, multinomial), -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def likeliest(scores):
    """Index of the likeliest class, by the scores: probabilities round to ties; the first among equals."""
    return np.argmax(scores, axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)


def _before_normalising(scores, multinomial):
    """Log-probabilities up to a constant a row."""
    if scores.shape[1] == 1:
        return np.hstack([np.zeros_like(scores), scores])
    return scores if multinomial else log_expit(scores)


def _coded(y):
    """Sorted labels and the index of each row's; integers of a small range are counted, not sorted."""
    if y.dtype.kind in "iu" and len(y) and (span := int(y.max()) - (least := int(y.min()))) < max(100, len(y) // 10):
        wide = y if y.dtype.itemsize == 8 else y.astype(np.int64)
        offsets = (wide - wide.dtype.type(least)).astype(np.intp, copy=False)
        present = np.bincount(offsets, minlength=span + 1) > 0 if span > 1 else np.ones(span + 1, dtype=bool)
        labels = np.flatnonzero(present).astype(wide.dtype) + wide.dtype.type(least)
        return labels.astype(y.dtype), offsets if present.all() else (np.cumsum(present) - 1)[offsets]
    labels = np.unique(y)
    return labels, (y == labels[1]).astype(np.intp) if len(labels) == 2 else np.searchsorted(labels, y)


def _normalised(columns):
    """Divide by the sums of the columns; what is one number for all rows stays one."""
    distinct = columns[:1] if columns.strides[0] == 0 else columns
    return np.broadcast_to(distinct / columns.sum(axis=0), columns.shape)


def _factors(labels, class_weight):
    for label, weight in class_weight.items():
        real = isinstance(weight, numbers.Real) and not isinstance(weight, bool)
        if not real or not 0 <= weight <= float(np.finfo(float).max):
            raise ValueError(f"class_weight must give non-negative finite numbers; class {label!r} has {weight!r}.")
    if class_weight and not any(label in class_weight for label in labels.tolist()):
        raise ValueError(
            f"class_weight names none of the classes in y: it weights {list(class_weight)}, y has {labels.tolist()}."
        )
    return np.array([class_weight.get(label, 1.0) for label in labels.tolist()], dtype=float)


def _weighted_classes(labels, codes, sums):
    """Which labels have a positive total weight (rows of others are as good as absent), and the codes without the others."""
    kept = sums > 0
    if kept.sum() < 2:
        seen = labels[kept].tolist()
        what = "y has one class only" if len(labels) == 1 else "only one class in y has a positive total weight"
        raise ValueError(f"A classifier needs at least two classes, but {what}: {seen}.")
    return kept, codes if kept.all() else np.where(kept, np.cumsum(kept) - 1, 0)[codes]


def _signs(codes, n_classes):
    """-1 where a row is of a task's class, 1 elsewhere; two classes are one task, whose class is the second."""
    tasks = np.arange(n_classes) if n_classes > 2 else np.ones(1, dtype=int)
    return 1 - 2 * np.asfortranarray(codes[:, None] == tasks).view(np.int8)


def _balanced_tasks(weights, member):
    """Weigh, in each binary task, its one class and the rest equally."""
    inside, outside = np.sum(weights * member, axis=0), np.sum(weights * ~member, axis=0)
    return weights.sum() / 2 * (weights / np.where(member, inside, outside))


def _balanced(weights, codes):
    """Weigh all classes equally."""
    sums = np.bincount(codes, weights)
    return (weights.sum() / len(sums) * (weights / sums[codes]))[:, None]


def _balancing(codes, weights, pairs):
    """Factors that balancing comes to: of each class or, in pairs, of each class and its rest."""
    inside = np.bincount(codes, weights)
    sums = np.stack([inside, weights.sum() - inside], axis=1) if pairs else inside
    with np.errstate(over="ignore"):
        return weights.sum() / (2 if pairs else len(inside)) / sums
