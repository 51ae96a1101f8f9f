"""A fitted model in words: what was asked for, what was done, how sure it is, what came out."""

from dataclasses import dataclass, replace
from html import escape

import numpy as np
from sklearn.utils.validation import _check_feature_names_in

from sklearn_xent._tables import as_html, as_text

LEFT = 18  # columns of text for the names of facts


@dataclass(frozen=True)
class Summary:
    """Facts and the largest coefficients; prints as text, shows as HTML in a notebook.

    Attributes
    ----------
    title : str
    facts : dict of str
        What is known, in words, by what it is about.
    header : tuple of str
        Names of the columns of `rows`.
    rows : list of tuple of str
        One largest coefficient each.
    note : str
        What the last column means.
    """

    title: str
    facts: dict
    header: tuple
    rows: list
    note: str

    def __str__(self):
        facts = [f"{name:<{LEFT}}{value}" for name, value in self.facts.items()]
        table = as_text(self.header, self.rows, n_names=len(self.header) - 2)
        return "\n".join([self.title, "=" * len(self.title), *facts, "", *table, "", self.note])

    __repr__ = __str__

    def _repr_html_(self):
        facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.facts.items())
        return (
            f'<div class="sklearn-xent-summary"><table><caption>{escape(self.title)}</caption><tbody>{facts}</tbody></table>'
            f"{as_html(self.header, self.rows)}<p>{escape(self.note)}</p></div>"
        )


@dataclass(frozen=True)
class Terms:
    """What a fit was asked for, kept with it: parameters may be set anew afterwards.

    Attributes
    ----------
    C, l1_ratio, tol : float
    n_rows : int
    total : float
        S of the objective, the sum of the weights.
    factors : ndarray of shape (n_classes,) or (n_classes, 2), or None
        Class weights used: of each class, or of each class and its rest (One-vs-Rest, balanced); None where all weigh one.
    objective, target : float
        What was reached, and the gap that `tol` asks for.
    fit_intercept : bool
    dropped : list
        Labels whose rows had no weight.
    corrected : bool
        Whether `prior_correction` was asked for.
    prior : dict or None
        The population's shares of the classes, if they were given.
    """

    C: float
    l1_ratio: float
    tol: float
    n_rows: int
    total: float
    factors: np.ndarray | None
    objective: float
    target: float
    fit_intercept: bool
    dropped: list
    corrected: bool
    prior: dict | None

    @classmethod
    def of(cls, estimator, n_rows, targets, solution):
        """Take down what an estimator was fitted with, and where that led."""
        return cls(
            C=float(estimator.C),
            l1_ratio=float(estimator.l1_ratio),
            tol=float(estimator.tol),
            n_rows=n_rows,
            total=targets.total,
            factors=targets.factors,
            objective=solution.value,
            target=solution.target,
            fit_intercept=bool(estimator.fit_intercept),
            dropped=targets.dropped,
            corrected=bool(estimator.prior_correction),
            prior=None if estimator.prior is None else dict(estimator.prior),
        )

    def of_task(self, k):
        """Return the terms of a One-vs-Rest task; where its rest has several weights, their factor is NaN."""
        if self.factors is None:
            return self
        pair = self.factors[k] if self.factors.ndim > 1 else (self.factors[k], np.nan)
        return replace(self, factors=np.array(pair[::-1]))


def summarise(estimator, terms, multinomial, n_coefficients):
    """Return the `Summary` of a fitted estimator with its `n_coefficients` largest coefficients."""
    coef = estimator._dense_coef()
    classes, n_features = [str(label) for label in estimator.classes_.tolist()], coef.shape[1]
    facts = {
        "data": f"{terms.n_rows:,} rows, {n_features:,} features, {len(classes)} classes",
        "loss": _kind(classes, multinomial),
        "penalty": _penalty(terms),
        "class weights": _class_weights(classes, terms.factors),
        "probabilities": _population(terms),
        "solver": f"{estimator.solver_}, {estimator.n_iter_[0]} iterations, {estimator.n_passes_:.1f} passes over the data",
        "status": _status(estimator),
        "optimality gap": f"{estimator.optimality_gap_:.2g}, where tol = {terms.tol:g} asks for {terms.target:.2g}",
        "objective": f"{terms.objective:.6g}",
        "coefficients": f"{np.count_nonzero(coef):,} of {coef.size:,} are not zero",
    }
    names, of_class = _check_feature_names_in(estimator), ("class",) if len(coef) > 1 else ()
    rows = []
    for place in np.argsort(-np.abs(coef), axis=None, kind="stable")[:n_coefficients]:
        k, j = np.unravel_index(place, coef.shape)
        with np.errstate(over="ignore"):
            numbers = (f"{coef[k, j]:.4g}", f"{np.exp(coef[k, j]):.4g}")
        rows.append((*(classes[k : k + 1] if of_class else ()), str(names[j]), *numbers))
    return Summary(
        title=type(estimator).__name__,
        facts=facts,
        header=(*of_class, "feature", "coefficient", "odds ratio"),
        rows=rows,
        note=_note(classes, multinomial),
    )


def _kind(classes, multinomial):
    if multinomial:
        return "softmax cross-entropy"
    return "binary cross-entropy" if len(classes) == 2 else "One-vs-Rest, a binary cross-entropy a class"


def _penalty(terms):
    if np.isinf(terms.C):
        return "none (C = inf, lambda = 0)"
    strength = 1 / terms.C / terms.total
    name = {0.0: "ridge", 1.0: "lasso"}.get(float(terms.l1_ratio), f"elastic net, l1_ratio = {terms.l1_ratio:g}")
    return f"{name}, C = {terms.C:g}, which is lambda = 1 / (C S) = {strength:.4g} with S = {terms.total:g}"


def _population(terms):
    if terms.prior is not None:
        return "of a population with shares " + ", ".join(f"{label}: {share:g}" for label, share in terms.prior.items())
    return "of the sample, its class weights taken out" if terms.corrected else "of the sample as it was weighted"


def _class_weights(classes, factors):
    if factors is None:
        return "all 1"
    if np.isnan(factors).any():
        return "several in the rest"
    if factors.ndim == 1:
        return ", ".join(f"{label}: {factor:.4g}" for label, factor in zip(classes, factors, strict=True))
    pairs = zip(classes, factors, strict=True)
    return ", ".join(f"{label}: {inside:.4g} (its rest: {outside:.4g})" for label, (inside, outside) in pairs)


def _status(estimator):
    separation = estimator.separation_
    return str(estimator.status_) if separation is None else f"{estimator.status_}: {separation.describe()}"


def _note(classes, multinomial):
    unit = "The odds ratio is the factor on the odds"
    if multinomial:
        return f"{unit} of the class, against a class whose coefficient is zero, when the feature grows by one."
    of = f"of {classes[1]}" if len(classes) == 2 else "of the class against the rest"
    return f"{unit} {of} when the feature grows by one."
