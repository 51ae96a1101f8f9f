"""Smaller or better-posed problems with the same optimum, and the way back.

`standardised`: units in which every column has a second moment near one. `sample`: some of the rows, that stand for all.
`Rotation`: the coordinates of the rows, where these are few. Under an l1 penalty `working_set`: the columns to work on next;
`likely` and `few`: those that cannot be ruled out; `Screen`: those to look at; `Nest`: where copies of them come from.
"""

import numpy as np
from scipy import linalg

from sklearn_xent._design import Dense
from sklearn_xent._linalg import EPS
from sklearn_xent._objective import Objective
from sklearn_xent._penalty import ElasticNet

SAFE = 1 - 1e-6  # of an l1 strength: slopes are off by rounding
STANDARD_ERRORS = 2  # by so many a slope of a sample is likely to be off
LEEWAY = 0.5  # standard errors allowed for where what is missed shows in the next gradient of all columns
WIDE = 1.1  # a copy of so many times the columns that are asked for is taken as it is
GROWTH, LEAST = 4, 100  # of a working set: times the support, and columns; measured
LONG_ROW = 100  # stored numbers, from which on a pass costs more than an iteration on a working set
RARE = 0.1  # share of its second moment up to which a column is missing from a sample


def standardised(objective):
    """Return the objective in units of each column's spread, rounded to powers of two: the way back is exact.

    Scaling of the data then changes nothing but the penalty's strengths, so solvers are free of units.
    """
    second_moment = objective.second_moment / np.sum(objective.row_weight)
    used = (objective.scale > 0) & (second_moment > 0)
    _, exponents = np.frexp(second_moment)
    return objective.with_scale(np.where(used, np.ldexp(1.0, -(exponents // 2)), 0.0))


def sample(objective, n_rows, seed=0):
    """Return the objective of about `n_rows` rows, and their indices; weights keep the total of each class. See `draw`.

    Columns that hardly vary among those rows (rare events) would have no curvature: they get a ridge in its place.
    """
    rows, factors = draw(objective, n_rows, seed)
    part = objective.of_rows(rows, factors)
    part.penalty = part.penalty.stiffened(_unseen(objective, part))
    return part, rows


def _unseen(objective, part):
    """Curvature, about, of columns that hardly vary in a part of the rows; zero for all others."""
    total = part.row_weight.sum()
    mean, variance = part.design.moments(part.row_weight / total)
    seen = total * (variance + (0 if objective.fit_intercept else np.square(mean))) * np.square(objective.scale)
    level = objective.constant_value / (4 * objective.shape[0])  # p (1 - p) is a fifth to a third of the entropy
    return np.where(seen < RARE * objective.second_moment, level * objective.second_moment, 0.0)


def draw(objective, n_rows, seed=0):
    """Draw about `n_rows` rows without replacement from each class by itself.

    Each class is cut into runs of consecutive rows and one row drawn from each run, so that data in some order are covered
    evenly. A class gets its share of the rows but at least a quarter of an equal share, so that rare ones are in it (King &
    Zeng 2001, section 3, for why they tell more). The draw is fixed by `seed`: the same data give the same numbers.

    Returns
    -------
    rows : ndarray of int
        Indices, ascending.
    factors : ndarray of shape (n_drawn, 1 or n_tasks)
        What their weights have to be multiplied by to have the total of their class.
    """
    rng, rows, factors = np.random.default_rng(seed), [], []
    classes, weight = objective.loss.classes, objective.row_weight
    used = weight > 0
    present = [(classes == k) & used for k in range(classes.max() + 1)]
    total, fair = np.count_nonzero(used), n_rows / (4 * len(present))
    for member in present:
        members = np.flatnonzero(member)
        if len(members) == 0:
            continue
        size = min(len(members), int(np.ceil(max(n_rows * len(members) / total, fair))))
        places = ((np.arange(size) + rng.random(size)) * (len(members) / size)).astype(int)
        drawn = members[places[np.diff(places, prepend=-1) > 0]]  # in order; neighbouring runs may meet
        rows.append(drawn)
        share = np.einsum("ij,i->j", objective.weights, member) / objective.weights[drawn].sum(axis=0)
        factors.append(np.tile(share, (len(drawn), 1)))
    rows, factors = np.concatenate(rows), np.concatenate(factors)
    order = np.argsort(rows, kind="stable")
    return rows[order], factors[order]


class Rotation:
    """A ridge problem with fewer rows than columns, in the coordinates of its rows.

    The optimum is a combination of the rows (the representer theorem; Kimeldorf & Wahba 1971), so that the problem has as many
    coefficients as rows: those of an orthonormal basis of what the rows span, in units in which the penalty is half the squared
    norm. Pivoted Cholesky of the rows' inner products gives it (Higham 1990): row by row, what is new in each.

    Parameters
    ----------
    objective : Objective
        Every column has a ridge penalty and no l1 penalty.
    """

    def __init__(self, objective):
        self.whole, l2 = objective, objective.penalty.l2
        self.units = np.divide(1, np.sqrt(l2), out=np.zeros_like(l2), where=objective.scale > 0)
        products = objective.design.row_products(objective.centre, objective.scale * self.units)
        lost = len(products) * EPS * products.diagonal().max()
        factor, order, rank, _ = linalg.lapack.dpstrf(products.T, lower=True, tol=lost, overwrite_a=True)
        rows = np.empty((len(products), rank))
        rows[order - 1] = np.tril(factor[:, :rank])
        self.basis, self.factor = order[:rank] - 1, factor[:rank, :rank]
        design = Dense(rows, objective.design.meter, objective.design.share * rank / objective.shape[1])
        penalty = ElasticNet(np.zeros(rank), np.ones(rank))
        self.objective = Objective(
            design, objective.loss, objective.weights, penalty, objective.fit_intercept, offset=objective.offset
        )

    def back(self, coef, intercept):
        """Return the point of the whole objective that a solution of the rotated one stands for; one pass."""
        return self.whole.at(self._coefficients(coef), intercept)

    def lift(self, coef, intercept):
        """The same in the units of the data: coefficients and intercept."""
        return self.whole.lift(self._coefficients(coef), intercept)

    def _coefficients(self, coef):
        combination = np.zeros((len(self.whole.weights), len(coef)))
        if len(self.basis):  # all columns may be constant, and SciPy 1.10 solves nothing of order zero
            combination[self.basis] = linalg.solve_triangular(self.factor, coef.T, trans="T", lower=True, check_finite=False)
        return self.whole.pull_back(self.whole.design, combination) * np.square(self.units)


def working_set(point):
    """Columns to work on under an l1 penalty: the support, and the strongest violators of optimality.

    The support grows by a factor at a time (Johnson & Guestrin 2015, "Blitz"; Massias, Gramfort & Salmon 2018, "Celer").

    Returns
    -------
    ndarray of int
        Column indices, ascending.
    """
    support = (point.W != 0).any(axis=0)
    violation = np.max(np.abs(point.gradient), axis=0)
    limit = max(GROWTH * np.count_nonzero(support), LEAST)
    violators = np.flatnonzero((violation > 0) & ~support)
    room = limit - np.count_nonzero(support)
    if len(violators) > room:
        violators = violators[np.argpartition(-violation[violators], room)[:room]]
    support[violators] = True
    return np.flatnonzero(support)


def likely(point):
    """Columns that are likely to matter near a point under an l1 penalty; None unless their copy is cheaper than a Gram matrix.

    Returns
    -------
    ndarray of int or None
        Column indices, ascending.
    """
    objective, columns = point.objective, _within(point, STANDARD_ERRORS)
    design, n_features = objective.design, objective.shape[1]
    copied = design.copied_column * design.product_cost * max(len(columns), 1)
    spared = objective.n_pairs * design.gram_cost * (n_features**2 - len(columns) ** 2)
    return columns if copied < spared else None


def few(point):
    """Columns that may matter near a point under an l1 penalty; None unless rows are long and these few of their columns.

    Returns
    -------
    ndarray of int or None
        Column indices, ascending.
    """
    design = point.objective.design
    if point.objective.penalty.smooth or not long_rows(design):
        return None
    columns = _within(point, LEEWAY)
    return columns if 0 < len(columns) <= design.spare_columns(len(point.W)) else None


def long_rows(design):
    """Whether a pass costs more than an iteration on a working set."""
    return design.size > LONG_ROW * design.shape[0]


def _within(point, standard_errors):
    """Columns that the slopes at a point do not rule out.

    Those of a sample are off by a standard error of at most the root of ``curvature_bound / n_samples``; a column is left out
    whose slope is so many of those within its l1 strength.
    """
    objective = point.objective
    slopes = np.abs(point.loss_gradient) + standard_errors * np.sqrt(objective.curvature_bound / objective.design.shape[0])
    return np.flatnonzero(objective.penalty.felt(point.W, slopes).any(axis=0))


class Nest:
    """Objectives of some of the columns, cut out of a smaller one than the whole where that has them, as towards the end.

    Parameters
    ----------
    objective : Objective
        Of all columns.
    """

    def __init__(self, objective):
        self.levels = [(np.arange(objective.shape[1]), objective)]
        self.depth = 2 if objective.design.copied_column < np.inf else 1  # copies kept: what `Screen` looks at is one

    @property
    def whole(self):
        """Objective of all columns."""
        return self.levels[0][1]

    def around(self, columns):
        """Return the columns of the last copy, if it has the ones given and few others; those given elsewhere."""
        last = self.levels[-1][0]
        return columns if len(last) > WIDE * len(columns) or places_among(columns, last) is None else last

    def restrict(self, columns):
        """Return the objective of some of the columns (ascending indices)."""
        while (places := places_among(columns, self.levels[-1][0])) is None:
            self.levels.pop()
        outer = self.levels[-1][1]
        objective = outer.restrict(places)
        if objective is not outer:
            self.levels[self.depth :] = [(columns, objective)]
        return objective


def places_among(columns, others):
    """Where some columns are among others (both ascending); None if they are not all there."""
    places = np.searchsorted(others, columns)
    inside = len(columns) == 0 or (places[-1] < len(others) and np.array_equal(others[places], columns))
    return places if inside else None


class Screen:
    """Gradients under an l1 penalty, of points that draw near each other: only of the columns that can matter.

    A coefficient that is zero stays so, and has no part in the duality gap, while its slope is within its l1 strength. From
    one point to another a slope changes by the column's norm times the change of the weighted residuals at most (Cauchy &
    Schwarz): a gradient that is known tells where to look in the next. El Ghaoui, Viallon & Rabbani (2012), "Safe
    feature elimination", have the idea, for the optimum; here it is asked of any point, and what is left out is looked at
    again as soon as it could matter. Norms are of all rows: objectives of samples are none to look at.

    Parameters
    ----------
    nest : Nest
        Where objectives of few columns come from.
    """

    def __init__(self, nest):
        self.nest, self.norms = nest, np.sqrt(nest.whole.second_moment)
        self.known = None  # residuals of a point, and the gradient of all columns there

    def look(self, point):
        """Give a point its gradient; slopes that cannot matter are left as they were."""
        worth = point.W.shape[1] / self.nest.whole.design.copied_column  # columns, of which copies are cheaper than a read
        columns = self._needed(point) if self.known and np.count_nonzero(point.W.any(axis=0)) <= worth else None
        if columns is None or len(columns) > worth:
            self.known = point.residuals(slice(None)).copy(order="K"), point.loss_gradient  # the next line takes the others
            return
        gradient = self.known[1].copy()
        gradient[:, columns] = point.pull_back(self.nest.restrict(columns))
        point.loss_gradient = gradient

    def _needed(self, point):
        residuals, gradient = self.known
        change = np.outer(point.residual_change(residuals), self.norms)
        largest = (np.abs(gradient) + change) / SAFE
        return np.flatnonzero(point.objective.penalty.felt(point.W, largest).any(axis=0))
