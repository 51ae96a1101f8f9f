"""Loss + penalty over a design.

    F(W, b) = sum_i s_i loss(z_i, y_i) + penalty(W),     z = X Wᵀ + b,     sum_i s_i = 1

Solvers see the coefficients `W` (n_outputs, n_features) only. The intercept is profiled out: it costs nothing on the stored
scores, so every `Point` carries the intercept that is optimal for its W (variable projection; Golub & Pereyra 1973). The
weighted residuals then sum to zero, which makes every point's residuals a feasible dual point: the certificate is free.
"""

from copy import copy
from functools import cached_property
from itertools import chain

import numpy as np

from sklearn_xent._linalg import EPS, largest_eigenvalue, weighted_sums
from sklearn_xent._line import Evaluation
from sklearn_xent._origin import Origin
from sklearn_xent._point import Point
from sklearn_xent._threads import in_threads, row_blocks

BALANCED = 1e-13  # sum of weighted residuals beside the loss of the best constant model


class Objective:
    """Weighted cross-entropy plus elastic net on one design.

    Parameters
    ----------
    design : Design
        The home of X.
    loss : Logistic or Softmax
        Pointwise loss, with the coded targets.
    weights : ndarray of shape (n_samples, 1 or n_tasks)
        Row weights, read-only; every column sums to one. Equal ones are one number in memory.
    penalty : ElasticNet
        On the coefficients in this objective's units.
    fit_intercept : bool
        Whether scores have an intercept; it is never penalised.
    scale : ndarray of shape (n_features,) or None
        Units: the coefficient of ``X[:, j]`` is ``W[:, j] * scale[j]``. None: one, and zero for columns that the
        intercept makes redundant.
    offset : ndarray of shape (n_samples, n_outputs), optional
        What is added to the scores: columns whose coefficients are held.
    """

    def __init__(self, design, loss, weights, penalty, fit_intercept, scale=None, offset=None):
        self.design, self.loss, self.weights, self.offset = design, loss, weights, offset
        self.fit_intercept = fit_intercept
        self.scale = self._live.astype(float) if scale is None else scale
        self.penalty = penalty if scale is not None else penalty.rescaled(self.scale)
        self.shape = (loss.n_outputs, design.shape[1])

    # Statistics of the columns, in the units of the data.

    @cached_property
    def row_weight(self):
        """One weight a row, the largest of the tasks': bounds that hold for it hold for every task."""
        return self.weights.max(axis=1) if self.weights.shape[1] > 1 else self.weights[:, 0]

    @cached_property
    def _moments(self):
        total = self.row_weight.sum()
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = self.design.moments(self.row_weight / total)
            finite = np.isfinite(mean * mean + variance).all()
        if not finite:
            raise ValueError("X has values whose squares overflow; divide its largest columns until all are below 1e150.")
        return mean, variance * total, mean * mean * total

    @property
    def centre(self):
        """Where columns are centred; only the intercept can make up for it."""
        return self._moments[0] if self.fit_intercept else np.zeros(self.design.shape[1])

    @property
    def _live(self):
        mean, variance, _ = self._moments
        if self.fit_intercept:  # a constant column is the intercept again: rounding must not bring it to life
            return np.sqrt(variance) > 32 * np.finfo(float).eps * np.abs(mean)
        return (variance > 0) | (mean != 0)

    @property
    def centred_sums(self):
        """Weighted sums of the columns about `centre`, and of their squares, in their own units; of a sample, the whole's."""
        mean, variance, square = self._moments
        if self.fit_intercept:
            return np.zeros_like(mean), variance
        return mean * self.row_weight.sum(), variance + square

    @cached_property
    def second_moment(self):
        """Weighted mean square of each column in this objective's units, about `centre`."""
        return self.centred_sums[1] * np.square(self.scale)

    @cached_property
    def curvature_bound(self):
        """Upper bound of the loss's second derivative in each coefficient, shape (n_features,)."""
        return self.loss.smoothness * self.second_moment

    def lipschitz(self):
        """Smallest safe Lipschitz constant of the gradient, intercept included.

        ``smoothness * ||sqrt(s) (X - m)||² + l2``: 1/4 for binary losses, 1/2 for softmax (Yedida & Saha 2019 for the
        idea). The centre m is what a profiled intercept leaves of X. The norm is an upper bound, see `largest_eigenvalue`.
        """

        def product(v):
            scores = self.scores(self.design, v[None])
            return self.pull_back(self.design, scores * self.row_weight[:, None])[0]

        norm = largest_eigenvalue(product, self.second_moment.sum(), self.shape[1])
        return self.loss.smoothness * norm + self.penalty.l2.max(initial=0)

    def gram(self, weights, n_weights):
        """Weighted Gram matrices and sums of the columns in this objective's units; see `Design.gram`.

        Centring matters only where a column's mean dwarfs its spread, scaling only where squares could leave the range of
        floating point; both cost a copy of each block, so they are left out elsewhere.
        """
        centre, before, after = self.gram_units
        gram, cross = self.design.gram(weights, n_weights, centre, before)
        gram *= after
        gram *= after[:, None]
        return gram, cross * after

    @property
    def gram_centre(self):
        """Where columns are centred in the sums that `gram` returns."""
        return self.gram_units[0]

    @cached_property
    def gram_units(self):
        """Centre of the columns in Gram products, and their scales before and after the product."""
        mean, offset = self._moments[0], self._offset
        extreme = (np.abs(np.log2(self.scale[self.scale > 0])) > 200).any() or (np.abs(mean) > 1e60).any()
        ones = np.ones(len(mean))
        return mean if offset else 0 * mean, *((self.scale, ones) if extreme else (ones, self.scale))

    @property
    def _offset(self):
        """Whether some column's mean dwarfs its spread, and the intercept can make up for moving it."""
        mean, variance, _ = self._moments
        return self.fit_intercept and bool(((np.square(mean) > 100 * variance) & (self.scale > 0)).any())

    def centred(self):
        """Return the same objective of columns moved to their means, where those dwarf the spread and storage can hold that.

        Scores and gradients then are as exact as those of centred data: differences of large products would be off by
        their rounding, and no bound that is computed from them would hold.
        """
        mean, variance, square = self._moments
        design = self.design.about(mean) if self._offset else self.design
        if design is self.design:
            return self
        other = self._variant(design, self.penalty, self.scale, slice(None))
        left = mean - (design.origin - self.design.origin)
        other._moments = (left, variance, np.where(left == 0, 0.0, square))
        return other

    # Places.

    def at(self, W, b=None):
        """Return the `Point` at coefficients `W` in this objective's units; `b` is where its intercept's search starts."""
        b = np.zeros(self.shape[0]) if b is None else b
        Z = self.scores(self.design, W, b)
        return Point(self, W, b, Z if self.offset is None else Z + self.offset)

    def scores(self, design, W, b=0.0):
        """Scores of a design's rows, columns centred: an offset of the columns then stays out of the intercept."""
        return design.dot(*self._raw(W, b))

    def there_and_back(self, W, b, change):
        """``change(scores).T @ X``, X in its own units: `scores`, and back as they are at hand; see `Design.there_and_back`."""
        return self.design.there_and_back(*self._raw(W, b), change)

    def _raw(self, W, b):
        """Coefficients and intercepts of the columns as they lie."""
        W = W * self.scale
        return W, b - W @ self.centre if self.fit_intercept else b

    def lift(self, W, b):
        """Coefficients and intercept in the units of the data."""
        W = W * self.scale
        return W, b - W @ (self.centre + self.design.origin)

    def lost_in_lifting(self, W):
        """Bound of what rounding the lifted intercept costs: it is optimal, so that only curvature makes a shift of it cost."""
        shift = 2 * EPS * np.abs(W * self.scale) @ np.abs(self.centre + self.design.origin)
        return self.loss.smoothness / 2 * float(np.sum(np.square(shift)))

    def lost_in_scores(self, W, value):
        """What the rounding of the scores' products may hide in an objective of this value.

        Products of an offset column are large and cancel, with the centre's or those of other columns. Their errors are
        taken for independent (Higham & Mary 2019, SIAM J. Scientific Computing 41), six standard deviations of their weighted
        sum; residuals are at most one, and at most the losses.
        """
        largest = float(np.max(np.abs(W) @ self._far))
        return 6 * EPS * largest * np.sqrt(self.heaviest * min(value, 1.0))

    @cached_property
    def _far(self):
        """Distance of the columns' means from zero in this objective's units."""
        return np.abs(self.scale * self._moments[0])

    @cached_property
    def longest(self):
        """Largest norm of a row in this objective's units, about `gram_centre`."""
        return float(np.sqrt(max(squares.max() for _, squares in self.design.row_squares(self.gram_centre, self.scale))))

    @cached_property
    def heaviest(self):
        """Largest weight of a row."""
        return float(self.row_weight.max())

    def lower(self, coef, intercept):
        """Invert `lift`; coefficients of columns that this objective ignores are dropped."""
        used = self.scale > 0
        W = np.divide(coef, self.scale, out=np.zeros_like(coef), where=used)
        if not self.fit_intercept:
            return W, np.zeros_like(intercept)
        return W, intercept + (W * self.scale) @ (self.centre + self.design.origin)

    def origin(self):
        """Return the `Origin`, where all coefficients are zero; needs no pass, unless rows differ by their offsets."""
        b = self._best_constant[0] if self.fit_intercept else np.zeros(self.shape[0])
        if self.offset is not None:
            return self.at(np.zeros(self.shape), b)
        return Origin(self, b)

    @property
    def constant_value(self):
        """Objective of the best constant model: the scale of tolerances."""
        return self._best_constant[1]

    def balanced(self, sums):
        """Whether weighted residuals sum to zero, as an intercept asks for: nearly, on the scale of tolerances.

        What a remainder can hide from a duality gap is that times how far the intercept is off.
        """
        return not self.fit_intercept or bool(np.abs(sums).max() <= BALANCED * self.constant_value)

    @cached_property
    def _best_constant(self):
        return self.loss.best_constant(self.weights)

    @property
    def n_passes(self):
        """How often the data was read so far; ``X @ d`` and ``X.T @ r`` make one pass."""
        return self.design.meter.passes

    @property
    def hessian_order(self):
        """Order of a block of the Hessian: n_features, times n_outputs where the loss couples them."""
        return self.shape[1] * (self.shape[0] if self.loss.n_tasks == 1 else 1)

    @property
    def n_blocks(self):
        """How many blocks the Hessian has: outputs that the loss couples share one."""
        return self.loss.n_tasks

    @property
    def coupled(self):
        """Whether the loss couples several outputs."""
        return self.n_blocks < self.shape[0]

    @property
    def n_pairs(self):
        """How many Gram matrices make a Hessian: one a block, or a pair of coupled outputs."""
        coupled = self.shape[0] // self.n_blocks
        return self.n_blocks * max(1, coupled * (coupled - 1) // 2)

    def affords(self, numbers):
        """Whether so many numbers take no more memory than X does (or a hundred megabytes)."""
        return numbers <= max(self.design.size, 12_500_000)

    @property
    def small_hessian(self):
        """Whether the memory affords forming the Hessian."""
        return self.affords(self.hessian_numbers)

    @property
    def hessian_numbers(self):
        """How many numbers an explicit Hessian has."""
        return self.n_blocks * self.hessian_order**2

    def with_scale(self, scale):
        """Return the same objective in other units; all of it that was computed about the columns is kept."""
        return self._variant(self.design, self.penalty.rescaled(scale), scale, slice(None))

    def of_rows(self, rows, factors):
        """Return the objective of some of the rows (an index array), their weights times `factors`."""
        other = copy(self)
        other.design, other.loss = self.design.rows(rows), self.loss.rows(rows)
        other.weights = self.weights[rows] * factors
        other.offset = None if self.offset is None else self.offset[rows]
        for name in ("row_weight", "_best_constant", "heaviest", "longest"):
            other.__dict__.pop(name, None)
        return other

    def restrict(self, columns):
        """Return the objective of some of the columns (an index array), the others' coefficients being zero."""
        if len(columns) == self.shape[1]:
            return self
        return self._variant(self.design.columns(columns), self.penalty.restrict(columns), self.scale[columns], columns)

    def _variant(self, design, penalty, scale, columns):
        other = Objective(design, self.loss, self.weights, penalty, self.fit_intercept, scale, self.offset)
        other.row_weight = self.row_weight
        other._moments = tuple(moment[columns] for moment in self._moments)
        return other

    def evaluate(self, scores, room=None):
        """Return the `Evaluation` at some scores, by row blocks that stay in the cache.

        Parameters
        ----------
        scores : callable
            ``scores(rows, out)``: of a slice of rows; they may be written into `out`, which then is written over.
        room : ndarray of shape (n_samples, n_outputs), optional
            Memory for the residuals: fresh one costs as much as the rest.
        """
        residuals = np.empty((len(self.weights), self.shape[0]), order="F") if room is None else room

        def of_block(loss, rows):
            return loss.residuals(scores(rows, residuals[rows]), out=residuals[rows])

        return self._evaluation(residuals, of_block)

    def shifted(self, evaluation, shift):
        """Return the `Evaluation` where all scores have moved by `shift` (n_outputs,), no further than a half: no exponentials.

        It takes the memory of the one given.
        """
        residuals = evaluation.lend()
        return self._evaluation(residuals, lambda loss, rows: loss.shifted(residuals[rows], shift))

    def _evaluation(self, residuals, of_block):
        """Return the `Evaluation` whose residuals ``of_block(loss, rows)`` writes where they belong, block by block."""

        def sums(rows):
            loss, weights = self.loss.rows(rows), self.weights[rows]
            block = of_block(loss, rows)
            return weighted_sums(weights, block), loss.total(weights, block)

        balances, totals = zip(*self.over_rows(sums), strict=True)
        return Evaluation(residuals, sum(balances), self.loss.total_curvature(sum(totals)))

    def residuals(self, Z):
        """Derivatives of the loss at scores Z, by row blocks."""
        residuals = np.empty(Z.shape, order="F")
        self.over_rows(lambda rows: self.loss.rows(rows).residuals(Z[rows], out=residuals[rows]))
        return residuals

    def value(self, W, scores, residuals):
        """Loss at ``scores(rows)`` of slices of rows, whose residuals are given, plus the penalty of `W`."""

        def of_block(rows):
            return self.loss.rows(rows).value(self.weights[rows], scores(rows), residuals[rows])

        return float(sum(self.over_rows(of_block))) + self.penalty.value(W)

    def over_rows(self, of_block, width=None, each=np.inf):
        """Results of a function of a slice of rows, for all blocks of `width` numbers a row; in threads where that pays.

        `each` is what it takes a row, about, in nanoseconds: see `in_threads`.
        """
        n_rows, width = len(self.weights), width or self.shape[0]
        blocks = row_blocks(n_rows, width)
        if len(blocks) == 1:
            return [of_block(blocks[0])]
        return list(chain(*in_threads(lambda blocks: [of_block(rows) for rows in blocks], blocks, n_rows * each)))

    def stochastic_gradient(self, W, b, rows):
        """Gradients in W and b of the loss of a batch of rows, scaled up to the whole; columns are centred."""
        batch, loss, weights = self.design.rows(rows), self.loss.rows(rows), self.weights[rows]
        Z = self.scores(batch, W, b)
        Z = Z if self.offset is None else Z + self.offset[rows]
        residuals = weights * loss.residuals(Z) * (self.design.shape[0] / len(rows))
        total = residuals.sum(axis=0)
        return self.pull_back(batch, residuals, total), total if self.fit_intercept else np.zeros_like(total)

    def pull_back(self, design, R, total=None):
        """Transpose of `scores`: ``R.T @ (X - centre) * scale``; `total` are the sums of the columns of R, where known."""
        G = design.tdot(R)
        if self.fit_intercept:
            G -= np.outer(R.sum(axis=0) if total is None else total, self.centre)
        G *= self.scale
        return G
