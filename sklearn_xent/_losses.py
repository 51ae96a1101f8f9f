"""Losses with their coded targets: what an objective asks for values, residuals and curvatures.

Pointwise mathematics on raw scores `z`, one exponential a score; nothing here sees the data matrix.
"""

from functools import lru_cache

import numpy as np
from scipy.linalg import helmert
from scipy.special import xlog1py, xlogy

from sklearn_xent._curvature import SeparableCurvature, SeparableTotal, SoftmaxCurvature, SoftmaxTotal
from sklearn_xent._linalg import weighted_counts, weighted_products, weighted_sums

#: Probability of the wrong classes: from which on its complement has lost digits; from which on bounds of its square are loose.
ROUNDED, LIKELY = 0.97, 0.9


class Logistic:
    """`n_tasks` binary cross-entropies side by side: binary or One-vs-Rest classification.

    Parameters
    ----------
    signs : ndarray of shape (n_samples, n_tasks)
        -1 where the row belongs to the task's class, +1 elsewhere, so that the loss is ``log(1 + exp(sign * z))``. A byte
        is enough.
    """

    #: The largest second derivative of a row's loss.
    smoothness = 0.25

    def __init__(self, signs):
        self.signs = signs
        self.n_outputs = self.n_tasks = signs.shape[1]

    def rows(self, rows):
        """Return the loss of some of the rows."""
        return Logistic(self.signs[rows])

    def residuals(self, z, out=None):
        """Derivatives dl/dz (n, n_tasks) at scores `z`; those near zero keep their relative precision."""
        signs = self.signs.astype(float, copy=False)
        e = np.multiply(signs, z, out=out)
        with np.errstate(over="ignore"):  # an infinite exponential is a residual of zero
            np.exp(np.negative(e, out=e), out=e)
        e += 1
        return np.divide(signs, e, out=e)

    def shifted(self, residuals, shift):
        """Write over residuals what they are where all scores have moved by `shift` (n_tasks,), no further than a half.

        No exponential a score: that of a sum of scores is a product, so that the probability q of the wrong class becomes
        ``q / (1 + (1 - q) (exp(-sign shift) - 1))``.
        """
        change = np.multiply(self.signs, -np.sinh(shift), order="K")
        change += 2 * np.square(np.sinh(shift / 2))  # exp(-sign shift) - 1 of either sign, its digits kept
        right = np.abs(residuals)
        change *= np.subtract(1, right, out=right)
        change += 1
        return np.divide(residuals, change, out=residuals)

    def values(self, z, residuals):
        """Losses (n, n_tasks) at scores `z`, their residuals given."""
        losses, rare = self._parts(z, residuals)
        losses -= np.log1p(rare, out=rare)
        return losses

    def value(self, weights, z, residuals):
        """Weighted sum of the losses; weights that are one number in memory (a task) save seven of eight logarithms."""
        if weights.strides[0] != 0:
            return weighted_sums(weights, self.values(z, residuals)).sum()
        large, rare = self._parts(z, residuals)
        return (weights[0] * (large.sum(axis=0) - _summed_log1p(rare))).sum()

    def _parts(self, z, residuals):
        """What losses are at large scores, and minus the probability of the rarer class: they are ``large - log1p(rare)``."""
        large, rare = self.signs.astype(float), np.abs(residuals)
        np.maximum(np.multiply(large, z, out=large), 0, out=large)
        np.minimum(rare, 1 - rare, out=rare)
        return large, np.negative(rare, out=rare)

    @property
    def classes(self):
        """Index of each row's class; for two classes, 0 and 1."""
        return np.argmin(self.signs, axis=1) if self.n_tasks > 1 else (self.signs[:, 0] < 0).view(np.int8)

    def best_constant(self, weights):
        """Scores of the best constant model, and its objective: the entropy of the class frequencies, summed over the tasks.

        Every class has a positive weight.
        """
        inside, outside = self._frequencies(weights)
        rare = np.minimum(inside, outside)
        return _log(inside) - _log(outside), float(np.sum(_entropy(rare) + _complement(rare)))

    def _frequencies(self, weights):
        """Weight of each task's class, and of the rest: summed, because a difference from one would lose what is rare."""
        return weighted_sums(weights, self.signs < 0), weighted_sums(weights, self.signs > 0)

    def curvature(self, weights, residuals):
        """Weighted second derivatives at the scores that gave `residuals`."""
        return SeparableCurvature(weights * _bernoulli_variance(residuals))

    def total(self, weights, residuals):
        """Sum of the weighted second derivatives over the rows; sums of these are what `total_curvature` takes."""
        return weighted_sums(weights, _bernoulli_variance(residuals))

    #: Sum of the curvatures of all rows, to solve with.
    total_curvature = SeparableTotal

    def by_block(self, sums):
        """Arrange sums over the rows, one for each of a curvature's `entries`, as (n_blocks, block size, block size, ...)."""
        return sums[:, None, None]

    def spread(self, shift):
        """How far shifts of the scores move a row's log-odds, one value an output."""
        return np.abs(shift)

    def contrasts(self):
        """Return rows C and a factor f: scores that change by u change log-odds by at most the root of ``f sum((C @ u)²)``."""
        return np.ones((1, 1)), 1.0

    def wrong(self, residuals):
        """Probability of the wrong classes (n, n_tasks), from the residuals."""
        return np.abs(residuals)

    def divergence(self, residuals, change):
        """Kullback-Leibler divergence (n, n_tasks) of the probabilities of changed residuals from those of `residuals`."""
        wrong, growth = np.abs(residuals), self.signs * change
        return _divergence(wrong, growth) + _divergence(1 - wrong, -growth)

    def least_norm(self, W):
        """Among coefficients (n_tasks, n_features) that give the same loss on any data, those of least norm."""
        return W

    def lightest(self, W, l1, l2):
        """Among coefficients that give the same loss on any data, those of least penalty ``l1 |w| + l2 w² / 2``."""
        return W


class Softmax:
    """Multinomial cross-entropy of one score a class.

    Parameters
    ----------
    labels : ndarray of int, shape (n_samples,)
        Index of the true class.
    n_classes : int
        Number of scores a row.
    member : ndarray of bool, shape (n_samples, n_classes), optional
        Whether the row is of the class, if known already.
    """

    smoothness = 0.5  # Böhning (1992), "Multinomial logistic regression algorithm": diag(p) - p pᵀ <= I/2
    n_tasks = 1

    def __init__(self, labels, n_classes, member=None):
        self.labels, self.n_outputs = labels, n_classes
        self.member = np.asfortranarray(labels[:, None] == np.arange(n_classes)) if member is None else member

    def rows(self, rows):
        """Return the loss of some of the rows."""
        return Softmax(self.labels[rows], self.n_outputs, self.member[rows])

    def residuals(self, z, out=None):
        """Derivatives dl/dz (n, n_classes) at scores `z`; those near zero keep their relative precision."""
        own = np.arange(len(z)), self.labels
        p = np.subtract(z, z.max(axis=1)[:, None], out=out)
        np.exp(p, out=p)
        p /= p.sum(axis=1)[:, None]
        return self._balanced(p, own)

    def shifted(self, residuals, shift):
        """As `Logistic.shifted`: probabilities are multiplied by the shifts' exponentials, and divided by their sum."""
        growth = np.exp(shift)
        residuals *= growth
        residuals /= (residuals.sum(axis=1) + growth[self.labels])[:, None]
        return self._balanced(residuals, (np.arange(len(residuals)), self.labels))

    @staticmethod
    def _balanced(p, own):
        """Set residuals of the `own` classes: sums of the others', small numbers, where p - 1 would cancel."""
        p[own] = 0
        p[own] = np.maximum(-p.sum(axis=1), -1)
        return p

    def values(self, z, residuals):
        """Losses (n, 1) at scores `z`, their residuals given."""
        wrong = self.wrong(residuals)
        losses, far = np.log1p(-np.minimum(wrong, ROUNDED)), np.flatnonzero(wrong > ROUNDED)
        np.negative(losses, out=losses)
        if len(far):
            losses[far, 0] = self.rows(far)._values(z[far])
        return losses

    def value(self, weights, z, residuals):
        """Weighted sum of the losses."""
        return weighted_sums(weights, self.values(z, residuals)).sum()

    def _values(self, z):
        """Losses (n,) from scores alone; probabilities of wrong classes that are nearly one have lost what they lack."""
        own = np.arange(len(z)), self.labels
        odds = z - z[own][:, None]
        top = odds.max(axis=1)
        odds -= top[:, None]
        others = np.exp(odds, out=odds)
        others[own] = 0
        return top + np.log1p(others.sum(axis=1) + np.expm1(-top))  # near zero it keeps its digits

    @property
    def classes(self):
        """Index of each row's class."""
        return self.labels

    def best_constant(self, weights):
        """As `Logistic.best_constant`."""
        frequency = self._frequencies(weights)
        rare, scores = np.sort(frequency)[:-1], _log(frequency)
        return scores - np.mean(scores), float(np.sum(_entropy(rare)) + _complement(rare.sum()))

    def _frequencies(self, weights):
        return weighted_counts(self.labels, weights[:, 0], self.n_outputs)

    def curvature(self, weights, residuals):
        """Weighted second derivatives at the scores that gave `residuals`."""
        return SoftmaxCurvature(weights, residuals + self.member)

    def total(self, weights, residuals):
        """Sum of the weighted second derivatives over the rows; sums of these are what `total_curvature` takes."""
        p = residuals + self.member
        total = -weighted_products(weights, p)
        diagonal = np.einsum("kk->k", total)
        diagonal[:] = 0
        diagonal[:] = -total.sum(axis=1)  # rows sum to zero; nothing cancels
        return total

    #: Sum of the curvatures of all rows, to solve with.
    total_curvature = SoftmaxTotal

    def by_block(self, sums):
        """As `Logistic.by_block`: one block, whose rows sum to zero."""
        blocks = np.negative(sums)[_places(self.n_outputs)]
        diagonal = np.einsum("kk...->k...", blocks)
        diagonal[...] = 0
        diagonal[...] = -blocks.sum(axis=1)
        return blocks[None]

    def spread(self, shift):
        """How far shifts of the scores move a row's log-odds, at most, for any pair of classes; one value a row."""
        return np.ptp(shift, axis=-1)

    def contrasts(self):
        """As `Logistic.contrasts`: the scores without their mean, two of which differ by the square root of 2 at most."""
        return helmert(self.n_outputs), 2.0

    def wrong(self, residuals):
        """As `Logistic.wrong`."""
        return -residuals[np.arange(len(residuals)), self.labels][:, None]

    def divergence(self, residuals, change):
        """As `Logistic.divergence`."""
        return _divergence(residuals + self.member, change).sum(axis=1)[:, None]

    def least_norm(self, W):
        """Among coefficients (n_classes, n_features) that give the same loss on any data, those of least norm."""
        return W - W.mean(axis=0)

    def lightest(self, W, l1, l2):
        """Among coefficients that give the same loss on any data, those of least penalty ``l1 |w| + l2 w² / 2``.

        What is taken from all classes of a feature is a median: of their coefficients, and of where the penalty would be least
        if so and so many of them were positive (Li & Osher 2009, "A new median formula with applications to PDE based
        denoising", Communications in Mathematical Sciences 7).
        """
        signs = np.arange(len(W), -len(W) - 1, -2)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.where(l2 > 0, W.mean(axis=0), 0.0) + np.where(signs * l1 == 0, 0.0, signs * l1 / (len(W) * l2))
        return W - np.median(np.vstack([W, least]), axis=0)


@lru_cache(maxsize=16)
def _places(size):
    """Index of each entry of a symmetric matrix among those below its diagonal, row by row; 0 on the diagonal."""
    places, below = np.zeros((size, size), dtype=int), np.tril_indices(size, -1)
    places[below] = places.T[below] = np.arange(len(below[0]))
    return places


def _divergence(p, change):
    """``q log(q / p)`` of probabilities ``q = p + change``; inf where that is none."""
    q = p + change
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = xlog1py(q, change / p)
    return np.where(change == 0, 0.0, np.where((q >= 0) & (p > 0), terms, np.inf))


def shrinking_bound(weights, wrong, theta, losses):
    """Bound of what shrinking the residuals by the factors `theta` costs the dual objective: a weighted sum over the rows.

    With q the probability of the wrong classes, a row's cost is the Kullback-Leibler divergence from Bernoulli(q) to
    Bernoulli(theta q). It and its slope vanish at theta = 1, and its second derivative in theta,
    ``q / theta + q² / (1 - theta q)``, is ``q / theta + q² / (1 - q)`` at most; integrated twice, that needs two sums, whatever
    theta is, and is exact to second order. Where q is nearly one, the divergence itself is taken.

    Parameters
    ----------
    weights : ndarray of shape (n, 1 or n_tasks)
    wrong : ndarray of shape (n, n_tasks)
        q of each row; written over.
    theta : ndarray of shape (n_tasks,)
        From 0 to 1.
    losses : callable
        ``losses(rows)``: values of some of the rows (an index array), which say more than q where it rounds to one.

    Returns
    -------
    ndarray of shape (n_tasks,)
    """
    far, rest = np.flatnonzero((wrong > LIKELY).any(axis=1)), 1 - theta
    cost = weighted_sums(weights[far], _shrinking_cost(wrong[far], theta, losses(far))) if len(far) else 0.0
    wrong[far] = 0
    right, squares = 1 - wrong, np.square(wrong)
    cost += (xlogy(theta, theta) + rest) * weighted_sums(weights, wrong)
    return cost + np.square(rest) / 2 * weighted_sums(weights, np.divide(squares, right, out=squares))


def _shrinking_cost(wrong, theta, losses):
    """``theta q log(theta) + (1 - theta q) log(1 + (1 - theta) q / (1 - q))``, q being `wrong`; 1 - q by the loss."""
    grown = np.logaddexp(np.log(np.maximum(theta, 1e-300)), _log(1 - theta) + losses)
    return np.maximum(theta * np.log(np.maximum(theta, 1e-300)) * wrong + (1 - theta * wrong) * grown, 0)


def _summed_log1p(x):
    """Sum of ``log1p(x)`` down each column, x from -1/2 to 0, by the logarithms of products of eight.

    Of ``(1 + a) (1 + b)`` it is ``a + b + a b`` that is kept: small numbers keep their digits, others lose eight bits at most.
    """
    n = len(x) // 8
    rest, x = x[8 * n :], x[: 8 * n]
    for size in (4 * n, 2 * n, n):
        a, b = x[:size], x[size:]
        x = a * b
        x += a
        x += b
    return np.log1p(x, out=x).sum(axis=0) + np.log1p(rest).sum(axis=0)


def _log(x):
    return np.log(x, out=np.full_like(x, -np.inf), where=x > 0)


def _bernoulli_variance(residuals):
    wrong = np.abs(residuals)
    variance = 1 - wrong
    variance *= wrong
    return variance


def _entropy(frequency):
    return -xlogy(frequency, frequency)


def _complement(rare):
    """Entropy term of the frequency that all others, `rare`, leave: of one nearly one the logarithm would cancel."""
    return -xlog1py(1 - rare, -rare)
