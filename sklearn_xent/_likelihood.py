"""The likelihoods of a fitted classifier: one for each One-vs-Rest task, one for softmax, each with its free parameters."""

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax

from sklearn_xent._design import as_design
from sklearn_xent._information import Rows, group_sums, information, inverse, outer_products, row_gradients

MOST_STEPS = 4
EXACT, NEAR = 1e-9, 0.5  # standard errors from the optimum: where steps end, and beyond which a fit is not moved


class Likelihood:
    """A likelihood in its free parameters, at the fit.

    Attributes
    ----------
    labels : list of str
        What each output is about.
    params : ndarray of shape (n_outputs, n_parameters)
        Intercept (if there is one) and coefficients.
    log_likelihood : float
        Without class weights, without penalty.
    strata : ndarray of int, shape (n_samples,), or None
        The class of each row, where the sample was drawn class by class: their numbers would be the same in another sample.
    """

    def __init__(self, design, weight, strata, fit_intercept, member, factors):
        self.design, self.weight, self.strata, self.fit_intercept = design, weight, strata, int(fit_intercept)
        self.member, self.factors = member, factors

    def _evaluate(self, coef, intercept, shift, labels, coupling):
        """Fill in the rest: `shift` is in the reported intercept, but not in the scores of the fit."""
        self.shift, self.labels, self._coupling = shift, labels, coupling
        self._place(coef, intercept)

    def _place(self, coef, intercept):
        self.coef, self.intercept = coef, intercept
        self.params = np.column_stack([intercept, coef]) if self.fit_intercept else coef
        self.scores = self.design.dot(coef, intercept) - self.shift
        self.log_likelihood = float(self.weight @ self._log_likelihoods())

    def covariance(self, kind, groups, frequency, ridge):
        """Covariance of the parameters, or None; those that are collinear; how many standard errors the fit was off.

        A fit that is near its optimum is moved onto it by Newton steps: its tolerance is on the objective, whose square
        root is what is left in the coefficients.
        """
        weights = self.weight * self.factors
        rows, first = Rows(self.design, weights, self.fit_intercept), None
        back = rows.back(len(self.labels))
        for _ in range(MOST_STEPS):
            bread, gradient = self._newton(rows, weights, ridge)
            inverted, collinear = inverse(bread)
            if inverted is None:
                return None, collinear, np.nan
            distance = float(np.sqrt(max(gradient @ inverted @ gradient, 0)))
            first = distance if first is None else first
            if distance < EXACT or first > NEAR:
                break
            step = (back @ inverted @ gradient).reshape(self.params.shape)
            self._place(self.coef - step[:, self.fit_intercept :], self.intercept - step[:, : self.fit_intercept].sum(axis=1))
        if kind != "classical":
            inverted = inverted @ self._meat(rows, self._residuals(), weights, kind, groups, frequency) @ inverted
        elif self.strata is not None and self.fit_intercept:
            intercepts = np.arange(len(self.labels)) * rows.width
            inverted[np.ix_(intercepts, intercepts)] -= self._variance_of_numbers()
        self._rows, self._scaled = rows, inverted
        return back @ inverted @ back.T, collinear, first

    def _variance_of_numbers(self):
        """Variance of the log-odds of the classes' numbers, which a sample drawn class by class has not.

        Prentice & Pyke (1979), "Logistic disease incidence models and case-control studies", Biometrika 66, section 4.
        """
        inverse = 1 / self._numbers()
        return np.diag(inverse[1:]) + inverse[0]

    def _covariance_of_scores(self, design):
        """Covariance of the scores of every row of a design, shape (n_samples, n_outputs, n_outputs)."""
        A = self._rows.of(design)
        return np.einsum("ij,kjlm,im->ikl", A, self._scaled.reshape(2 * self.params.shape), A, optimize=True)

    def _newton(self, rows, weights, ridge):
        """Information and gradient of the penalised likelihood, in the scaled columns."""
        units = np.append(np.zeros(self.fit_intercept), np.square(rows.scale)) * ridge
        scaled = self.coef / np.where(rows.scale > 0, rows.scale, 1) * units[self.fit_intercept :]
        gradient = sum(S.sum(axis=0) for _, S in row_gradients(rows, self._residuals() * weights[:, None]))
        gradient += np.hstack([np.zeros((len(self.labels), self.fit_intercept)), self._coupling @ scaled]).ravel()
        return information(rows, self._curvatures(), weights) + np.kron(self._coupling, np.diag(units)), gradient

    def _meat(self, rows, residuals, weights, kind, groups, frequency):
        """Sum of the outer products of the scores, of rows or of groups, with the correction for small samples."""
        counted = self.weight if frequency else (self.weight > 0).astype(float)
        n = counted.sum()
        left = n - len(self.labels) * rows.width
        if left <= 0 and kind != "HC0":
            raise ValueError(
                f"The weights sum to {n:.6g}, no more than the {len(self.labels) * rows.width} parameters: frequency weights "
                "count rows; for shares of a population there is weights='probability'."
            )
        if kind == "cluster":
            n_groups = len(np.unique(groups[self.weight > 0]))
            if n_groups < 2:
                raise ValueError("Only one group has rows with a weight: covariance='cluster' needs two at least.")
            sums = group_sums(rows, residuals * weights[:, None], groups)
            if self.strata is not None:
                means, _ = self._strata_means(rows, residuals, weights, counted)
                sums -= _cross_table(groups, self.strata, counted) @ means
            return sums.T @ sums * (n_groups / (n_groups - 1) * (n - 1) / left)
        weight = self.weight if frequency else np.square(self.weight)
        meat = outer_products(rows, residuals, weight * np.square(self.factors))
        if self.strata is not None:
            means, numbers = self._strata_means(rows, residuals, weights, counted)
            meat -= means.T @ (means * numbers[:, None])
        return meat * (1 if kind == "HC0" else n / left)

    def _strata_means(self, rows, residuals, weights, counted):
        """Mean score of each class, about which scores vary where classes are drawn by themselves; and its number of rows."""
        numbers = np.bincount(self.strata, counted)
        sums = group_sums(rows, residuals * weights[:, None], self.strata)
        return sums / np.maximum(numbers, 1e-300)[:, None], numbers


class BinaryLikelihood(Likelihood):
    """The log-odds of a class against its rest."""

    def __init__(self, *common, coef, intercept, shift, label):
        super().__init__(*common)
        self._evaluate(coef, intercept, shift, [f"log-odds of {label}"], np.ones((1, 1)))

    def _log_likelihoods(self):
        return log_expit(np.where(self.member, 1, -1) * self.scores[:, 0])

    def _residuals(self):
        return expit(self.scores) - self.member[:, None]

    def _curvatures(self):
        p = expit(self.scores)
        return (p * expit(-self.scores))[:, :, None]

    def _numbers(self):
        return np.array([self.weight @ ~self.member, self.weight @ self.member])

    def log_odds(self, X):
        """Log-odds of both classes of new rows, and their standard errors, shape (n_samples, 2)."""
        design = as_design(X)
        z = design.dot(self.coef, self.intercept)
        spread = np.sqrt(self._covariance_of_scores(design)[:, :, 0])
        return np.hstack([-z, z]), np.hstack([spread, spread])


class SoftmaxLikelihood(Likelihood):
    """Contrasts of the classes with the first; the others' scores are what is free."""

    def __init__(self, *common, coef, intercept, shift, classes):
        super().__init__(*common)
        labels, n_free = [f"log-odds of {label} against {classes[0]}" for label in classes[1:]], len(classes) - 1
        # A ridge penalty of all classes, minimised over their common shift, is this one of the contrasts.
        coupling = np.eye(n_free) - np.ones((n_free, n_free)) / len(classes)
        contrast, base = coef[1:] - coef[0], intercept[1:] - intercept[0]
        self._evaluate(contrast, base, shift[1:] - shift[0], labels, coupling)

    @property
    def _all_scores(self):
        return np.column_stack([np.zeros(len(self.scores)), self.scores])

    def _log_likelihoods(self):
        return np.where(self.member, log_softmax(self._all_scores, axis=1), 0).sum(axis=1)

    def _residuals(self):
        return softmax(self._all_scores, axis=1)[:, 1:] - self.member[:, 1:]

    def _curvatures(self):
        p = softmax(self._all_scores, axis=1)[:, 1:]
        return p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]

    def _numbers(self):
        return self.weight @ self.member

    def log_odds(self, X):
        """Log-odds of every class of new rows against the rest, and their standard errors, shape (n_samples, n_classes)."""
        design = as_design(X)
        joint, scores = self._covariance_of_scores(design), design.dot(self.coef, self.intercept)
        Z = np.column_stack([np.zeros(len(scores)), scores])
        log_odds, spread = np.empty_like(Z), np.empty_like(Z)
        for k in range(Z.shape[1]):
            others = np.delete(Z, k, axis=1)
            log_odds[:, k] = Z[:, k] - logsumexp(others, axis=1)
            slope = np.insert(-softmax(others, axis=1), k, 1.0, axis=1)[:, 1:]
            spread[:, k] = np.sqrt(np.einsum("ik,ikl,il->i", slope, joint, slope))
        return log_odds, spread


def likelihoods(fitted, X, y, weight):
    """Return the likelihoods of a fitted classifier on rows, their labels and sample weights.

    Raises
    ------
    ValueError
        If `y` has labels that the fit does not know.
    """
    classes, terms = fitted.classes_.tolist(), fitted._terms
    member = np.asarray(y)[:, None] == fitted.classes_
    absent = np.isin(y, np.array(terms.dropped, dtype=fitted.classes_.dtype))
    if not np.all(member.any(axis=1) | absent | (weight == 0)):
        raise ValueError(f"y has labels that are not among the classes of the fit, {classes}.")
    weight = np.where(absent, 0.0, weight)
    factors, coef, shift, names = terms.factors, fitted._dense_coef(), fitted.prior_shift_, list(map(str, classes))
    of_class = np.ones(len(classes)) if factors is None else factors
    strata = None if terms.prior is None else member.argmax(axis=1)
    common = as_design(X), weight, strata, terms.fit_intercept
    if fitted._multinomial:
        place = {"coef": coef, "intercept": fitted.intercept_, "shift": shift}
        return [SoftmaxLikelihood(*common, member, member @ of_class, **place, classes=names)]
    tasks = []
    for k in range(len(coef)):
        j, one = k + len(classes) - len(coef), slice(k, k + 1)  # of two classes, the second has the task
        own = member[:, j]
        mine = np.where(own, *of_class[k]) if of_class.ndim > 1 else member @ of_class
        place = {"coef": coef[one], "intercept": fitted.intercept_[one], "shift": shift[one]}
        tasks.append(BinaryLikelihood(*common, own, mine, **place, label=names[j]))
    return tasks


def _cross_table(groups, strata, counted):
    """Sum of `counted` over the rows of each group and class, shape (n_groups, n_classes)."""
    n_groups, n_strata = groups.max() + 1, strata.max() + 1
    return np.bincount(groups * n_strata + strata, counted, n_groups * n_strata).reshape(n_groups, n_strata)
