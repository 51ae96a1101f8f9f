"""Probabilities of the population that was sampled, from a fit to a reweighted or balanced one."""

import numbers

import numpy as np


def prior_shift(targets, correct, prior, multinomial):
    """What to add to the intercepts so that probabilities speak of a population's shares of the classes.

    The log-odds that the fit saw, those of its best constant model, give way to the population's (King & Zeng 2001, "Logistic
    regression in rare events data", Political Analysis 9, section 4.1; Anderson 1972, Biometrika 59, for several classes).

    Parameters
    ----------
    targets : Targets
    correct : bool
        Take the sample's own shares, without class weights, for the population's.
    prior : None or dict
        The population's shares, if given; implies the correction.
    multinomial : bool

    Returns
    -------
    ndarray of shape (n_outputs,)

    Raises
    ------
    ValueError
        If `prior` is not one positive share a class, one to be left out at most, that sum to one.
    """
    if prior is None and not correct:
        return np.zeros(targets.loss.n_outputs)
    shares = targets.shares if prior is None else _shares(prior, targets.classes)
    seen = targets.loss.best_constant(targets.weights)[0]
    if multinomial:
        return np.log(shares) - np.mean(np.log(shares)) - seen
    odds = np.log(shares) - np.log([shares[np.arange(len(shares)) != k].sum() for k in range(len(shares))])
    return odds[-len(seen) :] - seen


def _shares(prior, classes):
    labels = classes.tolist()
    unknown = [label for label in prior if label not in labels]
    missing = [label for label in labels if label not in prior]
    good = all(isinstance(p, numbers.Real) and not isinstance(p, bool) and 0 < p < 1 for p in prior.values())
    total = float(sum(prior.values())) if good else np.nan
    complete = abs(total - 1) <= 1e-6 if not missing else total < 1
    if unknown or len(missing) > 1 or not complete:
        raise ValueError(
            f"prior must give the share in the population of each class in {labels}, positive and summing to one (one class "
            f"may be left out and has the rest); got {prior!r}."
        )
    given = prior | dict.fromkeys(missing, 1 - total)
    return np.array([given[label] for label in labels], dtype=float)
