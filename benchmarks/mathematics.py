"""Objectives, suboptimality and the penalty at which a lasso wakes up: computed here, from coefficients, asking no library."""

import math

import numpy as np
from scipy.special import log_expit, logsumexp

BLOCK = 20_000  # rows at a time


def objective(coef, intercept, problem, C=None):
    """Mean cross-entropy plus penalty / n in float64, the intercept unpenalised.

    Parameters
    ----------
    coef : ndarray of shape (1 or n_classes, n_features)
    intercept : ndarray of shape (1 or n_classes,)
    problem : Problem
    C : float, optional
        In place of the problem's own.

    Returns
    -------
    float
    """
    n_rows = len(problem.y)
    starts = range(0, n_rows, BLOCK)
    losses = math.fsum(
        cross_entropy(problem.X[i : i + BLOCK] @ coef.T + intercept, problem.codes[i : i + BLOCK], problem.task) for i in starts
    )
    penalty = (1 - problem.l1_ratio) / 2 * np.sum(coef**2) + problem.l1_ratio * np.sum(np.abs(coef))
    return losses / n_rows + float(penalty) / ((C or problem.C) * n_rows)


def cross_entropy(scores, codes, task):
    """Sum of the losses of scores (n_rows, n_outputs) against classes 0, 1, ...; One-vs-Rest adds its binary tasks up."""
    if task == "multinomial":
        return float(np.sum(logsumexp(scores, axis=1) - scores[np.arange(len(codes)), codes]))
    positive = codes[:, None] == (np.arange(scores.shape[1]) if task == "ovr" else 1)
    return -float(np.sum(log_expit(np.where(positive, scores, -scores))))


def suboptimality(values, best):
    """Worst of ``F / F* - 1`` over the objectives that one run gives."""
    return float(np.max(np.asarray(values) / np.asarray(best) - 1))


def lambda_max(X, y, fit_intercept=True):
    """Return the smallest lambda without coefficients in a binary lasso: the largest gradient at the best constant model."""
    residuals = y - (np.mean(y) if fit_intercept else 0.5)
    return float(np.max(np.abs(X.T @ residuals))) / len(y)


def geometric_mean(values):
    """Geometric mean of positive numbers; nan of none."""
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if len(values) else math.nan
