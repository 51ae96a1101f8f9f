"""A place in coefficient space, with the intercept that is optimal there.

Everything that a solver or a certificate asks of it (value, gradient, Hessian, a line from it) is computed when asked for,
from scores that stay where the rows live.
"""

from copy import copy
from functools import cached_property

import numpy as np

from sklearn_xent._linalg import EPS, Decoupled, SemiDefinite, Weighted, weighted_sums
from sklearn_xent._line import Evaluation, Line
from sklearn_xent._losses import shrinking_bound
from sklearn_xent._threads import SUM


class Point:
    """A place W with its optimal intercept; keeps the scores where the rows live, computes the rest when asked.

    Attributes
    ----------
    W : ndarray of shape (n_outputs, n_features)
    b : ndarray of shape (n_outputs,)
        Intercept of the centred columns.
    value : float
        Objective.
    """

    def __init__(self, objective, W, b, Z, evaluation=None):
        self.objective, self.W, self._Z = objective, W, Z
        self._evaluation = objective.evaluate(lambda rows, _: Z[rows]) if evaluation is None else evaluation
        self.b = self._profiled(b) if objective.fit_intercept else b

    def _profiled(self, b):
        """Minimise over the intercept by Newton with the step of generalised self-concordance.

        With R the distance a step moves a row's log-odds, the step length ``log(1 + R) / R`` decreases the objective
        from anywhere, without a line search (Sun & Tran-Dinh 2019, Mathematical Programming 178, section 4); where R <= 1
        the whole step does: its slope shrinks by ``(exp(R) - 1 - R) / R``.
        """
        objective, there, growth = self.objective, self._evaluation, 1.0
        behind = np.zeros_like(b)  # what the scores have yet to move by: residuals follow short steps without them

        def follow(rows, _=None):
            return np.add(self._Z[rows], behind, out=self._Z[rows])

        for _ in range(100):
            gradient = there.balance
            step = there.total.solve(-gradient)
            length = np.abs(step).max()
            if length > 0.5:
                reach = np.maximum(objective.loss.spread(step), 1)
                far = reach > 1
                step = step * np.where(far, growth * np.log1p(reach) / reach, 1)
            elif length <= 1e-7 and length <= 64 * EPS * (1 + np.abs(b).max()):
                break
            b, behind = b + step, behind + step
            if length > 0.5:
                there, behind = objective.evaluate(follow, there.residuals), np.zeros_like(b)
            else:
                there = objective.shifted(there, step)
            if length <= 1e-7:  # Newton is quadratic: the next step would be below rounding
                break
            if length > 0.5:
                # Thousands away the safe steps are many: lengthen them while the slope along them hardly changes.
                slope, slope_there = gradient * step * far, there.balance * step * far
                growth = 4 * growth if slope_there.sum() < slope.sum() / 2 else 1.0
        if behind.any():
            objective.over_rows(follow, each=SUM * len(b))
        self._evaluation = there
        return b

    @property
    def _residuals(self):
        if self._evaluation.residuals is None:
            self._evaluation.residuals = self.objective.residuals(self._Z)
        return self._evaluation.residuals

    def _curvature(self):
        """Return a function of rows: their weighted second derivatives, which all together are as large as the scores."""
        objective, residuals = self.objective, self._residuals
        return lambda rows: objective.loss.rows(rows).curvature(objective.weights[rows], residuals[rows])

    @cached_property
    def value(self):
        return self.objective.value(self.W, self.scores, self._residuals)

    @cached_property
    def loss_gradient(self):
        """Gradient of the loss (without the penalty), shape (n_outputs, n_features).

        After a `Screen` has looked, slopes within the l1 strength, of coefficients that are zero, may be those of another
        point: `gradient` and the duality gap are what they are all the same.
        """
        return self.pull_back(self.objective)

    @property
    def smooth_gradient(self):
        """Gradient of loss and ridge, whatever the l1 penalty."""
        return self.loss_gradient + self.objective.penalty.l2 * self.W

    @cached_property
    def gradient(self):
        """Gradient of loss and ridge; with an l1 penalty, the minimum-norm subgradient."""
        return self.objective.penalty.steepest(self.W, self.loss_gradient)

    def pull_back(self, objective):
        """Gradient of the loss in the columns of an `objective` with the same rows."""
        residuals = Weighted(self.objective.weights, self._residuals)
        return objective.pull_back(objective.design, residuals, self._evaluation.balance)

    def residual_change(self, others):
        """Norm of what residuals differ by from others (n_samples, n_outputs), in the metric of the weights, of each output."""
        weights, residuals = self.objective.weights, self._residuals
        blocks = self.objective.over_rows(lambda rows: weighted_sums(weights[rows], np.square(residuals[rows] - others[rows])))
        return np.sqrt(sum(blocks))

    @property
    def dual_feasible(self):
        """Whether the weighted residuals sum to zero: so, unless the scores are too wild for the intercept's search."""
        return self.objective.balanced(self._evaluation.balance)

    def scaled_dual_cost(self, theta):
        """What the dual objective loses at most when residuals shrink by the factors `theta` (n_tasks,), shape (n_tasks,)."""
        objective, of_all = self.objective, self._residuals

        def of_block(rows):
            loss, Z, residuals = objective.loss.rows(rows), self._Z[rows], of_all[rows]
            wrong, weights = loss.wrong(residuals), objective.weights[rows]
            return shrinking_bound(weights, wrong, theta, lambda far: loss.rows(far).values(Z[far], residuals[far]))

        return sum(objective.over_rows(of_block))

    def residuals(self, rows):
        """Derivatives of the loss in the scores of some rows; of a slice, until a line from here takes their memory."""
        return self._residuals[rows]

    def scores(self, rows):
        """Scores of some rows (an index array or slice)."""
        return self._Z[rows]

    # Second derivatives, of the profiled loss: what is left after the intercept has followed.

    def hessian(self):
        """Hessian of loss and ridge by blocks of outputs, shape (n_blocks, m, m), m = block size x features.

        Coefficients are ordered output by output, as ``W[block].ravel()``.
        """
        objective, n_blocks = self.objective, self.objective.n_blocks
        order, size = objective.hessian_order, objective.shape[0] // n_blocks
        gram, cross = (np.swapaxes(objective.loss.by_block(sums), 2, 3) for sums in self._grams())
        hessian, mixed = gram.reshape(n_blocks, order, order), cross.reshape(n_blocks, order, size)
        self._mixed = mixed
        if objective.fit_intercept:
            hessian -= mixed @ self._evaluation.total.solve_blocks(np.swapaxes(mixed, 1, 2))  # what the intercept takes over
        np.einsum("bii->bi", hessian)[:] += np.tile(objective.penalty.l2, size)
        return hessian

    def factors(self):
        """Factored blocks of the Hessian, a common shift of coupled outputs pinned.

        Without a ridge penalty that shift changes nothing, and every block is singular. Given curvature, it leaves
        all else as it is: no gradient has a part along it, and no step takes it.
        """
        blocks, objective = self.hessian(), self.objective
        size, n_features = objective.shape[0] // objective.n_blocks, objective.shape[1]
        if size > 1:
            by_output = blocks.reshape(-1, size, n_features, size, n_features)
            level = np.einsum("bkjkj->bj", by_output) * (objective.penalty.l2 == 0) / size**2
            np.einsum("bkjlj->klbj", by_output)[:] += level
        return [SemiDefinite(block) for block in blocks]

    def averaged_factors(self):
        """As `factors` for coupled outputs, every row's curvature taken for its share of the mean one: ``C ⊗ S``.

        One Gram matrix makes S, rows weighted by the trace of their curvature, and eigenvectors of C take the outputs apart
        (Martens & Grosse 2015, "Optimizing neural networks with Kronecker-factored approximate curvature", ICML). Exact
        where all rows have the same scores.
        """
        objective, n_outputs = self.objective, self.objective.shape[0]
        curvature = self._curvature()
        (gram,), (cross,) = objective.gram(lambda rows: curvature(rows).diagonal().sum(axis=1)[:, None], 1)
        contrasts, l2 = objective.loss.contrasts()[0], objective.penalty.l2
        mean = contrasts @ self._evaluation.total.values @ contrasts.T
        trace = np.trace(mean)
        values, vectors = np.linalg.eigh(mean / trace)
        if objective.fit_intercept:
            gram -= np.outer(cross, cross) / trace
        # A common shift of the outputs has no curvature but the penalty's, or is pinned as in `factors`.
        shift = np.where(l2 == 0, gram.diagonal() / n_outputs, l2)
        blocks = [value * gram + np.diag(l2) for value in values] + [np.diag(shift)]
        axes = contrasts.T @ vectors
        self._mixed = np.einsum("kl,j->kjl", (axes * values) @ axes.T, cross).reshape(1, -1, n_outputs)
        Q = np.column_stack([axes, np.full(n_outputs, n_outputs**-0.5)])
        return [Decoupled(Q, [SemiDefinite(block) for block in blocks])]

    def _grams(self):
        """Gram matrix and sums of the columns for each distinct entry of the rows' curvatures."""
        curvature = self._curvature()
        return self.objective.gram(lambda rows: curvature(rows).entries(), self.objective.n_pairs)

    def reach(self, factors):
        """Most that a step of unit length in the metric of the Hessian, intercept included, moves any row's log-odds.

        Parameters
        ----------
        factors : list of SemiDefinite or Decoupled
            What `factors` returned here.
        """
        objective, contrasts = self.objective, self.objective.loss.contrasts()[0]
        measures = [
            self._measure(factor, list(zip(contrasts, contrasts @ follow, strict=True)))
            for factor, follow in zip(factors, self._follows(), strict=True)
        ]

        centre, before, _ = objective.gram_units

        def of_block(rows):
            X = objective.design.dense_rows(rows, centre, before)
            return [measure(X).max() for measure in measures]

        return self._with_intercept(np.max(objective.over_rows(of_block, self._mixed[0].size), axis=0))

    def reach_bound(self, factors, longest):
        """No less than `reach` on rows of which none is longer than `longest` about `gram_centre`; reads no data.

        ``H⁻¹`` is no larger than its trace in any direction: loose, but what it is compared with vanishes at the optimum.
        """
        contrasts, squares = self.objective.loss.contrasts()[0], []
        for factor, follow in zip(factors, self._follows(), strict=True):
            if not factor.regular(self.live):
                return np.inf
            shift = np.linalg.norm(factor.half((contrasts @ follow).T))
            squares.append(np.square(longest * np.sqrt(factor.inverse_trace()) + shift))
        return self._with_intercept(np.array(squares))

    def _follows(self):
        """How the intercepts of each block follow its coefficients."""
        mixed = np.swapaxes(self._mixed, 1, 2)
        return self._evaluation.total.solve_blocks(mixed) if self.objective.fit_intercept else np.zeros_like(mixed)

    def _with_intercept(self, squares):
        """Reach, given the largest squares of what each block's coefficients alone move."""
        contrasts, share = self.objective.loss.contrasts()
        if self.objective.fit_intercept:
            squares = squares + len(contrasts) / self._evaluation.total.least
        return float(np.sqrt(share * squares.max()))

    def _measure(self, factor, pairs):
        """Return a function of rows x: the squared norm of ``contrast x - shift``, summed over the pairs of these.

        Rows are given as Gram matrices take them: `gram_units` are left to be applied.
        """
        units = self.objective.gram_units[2]
        if not factor.regular(self.live):
            return lambda X: sum(
                factor.norms(np.kron(contrast[:, None], (X * units).T) - shift[:, None]) for contrast, shift in pairs
            )
        # A quadratic form of x and one, however many pairs there are.
        columns = np.diag(units)
        halves = [factor.half(np.column_stack([np.kron(contrast[:, None], columns), -shift])) for contrast, shift in pairs]
        form = np.linalg.qr(np.vstack(halves), mode="r")

        def squares(X):
            turned = np.dot(X, form[:, :-1].T)
            turned += form[:, -1]
            return np.einsum("ij,ij->i", turned, turned)

        return squares

    @property
    def live(self):
        """Which coordinates of a block of the Hessian stand for columns that are not constant (without intercept, zero)."""
        return np.tile(self.objective.scale > 0, self.objective.shape[0] // self.objective.n_blocks)

    def bend(self, U):
        """Turn a change of the scores into the change of the weighted residuals, to first order; they go on summing to zero.

        The intercept follows. `U` (n_samples, n_outputs) is written over.
        """
        objective, curvature = self.objective, self.curvature

        def bend(rows):
            U[rows] = curvature.rows(rows).apply(U[rows])
            return U[rows].sum(axis=0)

        little = 4 * SUM * U.shape[1]  # nanoseconds a row
        drift = sum(objective.over_rows(bend, each=little))
        if objective.fit_intercept:
            tangent = self.tangent(drift)

            def follow(rows):
                U[rows] += curvature.rows(rows).apply(np.broadcast_to(tangent, U[rows].shape))

            objective.over_rows(follow, each=little)
        return U

    @cached_property
    def curvature(self):
        """The weighted second derivatives of all rows, kept."""
        return self._curvature()(slice(None))

    def curved_moments(self):
        """Sums of the centred columns and of their squares, rows weighted by their curvature; both (n_outputs, n_features)."""
        return self.objective.design.moments_tdot(self.curvature.diagonal(), self.objective.centre)

    def tangent(self, drift):
        """What the intercepts move by, where the sums of the weighted residuals drift so, for these to stay zero."""
        return -self._evaluation.total.solve(drift) if self.objective.fit_intercept else np.zeros_like(drift)

    def _scores_along(self, D):
        """Change of the scores along D, with the intercept's tangent, and that tangent."""
        objective = self.objective
        U = objective.scores(objective.design, D)
        if not objective.fit_intercept:
            return U, np.zeros(len(D))
        curvature = self._curvature()
        drift = objective.over_rows(lambda rows: curvature(rows).apply(U[rows]).sum(axis=0))
        tangent = self.tangent(sum(drift))

        def follow(rows):
            U[rows] += tangent

        objective.over_rows(follow, each=SUM * len(D))
        return U, tangent

    def of_rows(self, rows):
        """Return this place as some of the rows see it (an index array), with their own weights: no more than its curvature."""
        objective = self.objective.of_rows(rows, 1.0)
        residuals = self.residuals(rows)
        total = objective.loss.total_curvature(objective.loss.total(objective.weights, residuals))
        evaluation = Evaluation(residuals, weighted_sums(objective.weights, residuals), total)
        part = self._seen_by(objective, _Z=self._Z[rows], _evaluation=evaluation)
        part.__dict__.pop("curvature", None)
        return part

    def without_data(self):
        """Return this place without X: what `bend` needs."""
        place = copy(self)
        place.objective = copy(self.objective)
        place.objective.design = None
        return place

    def restrict(self, columns, objective):
        """Return this place, seen by the `objective` of some of the columns; scores stay as they are."""
        return self._seen_by(objective, W=self.W[:, columns], loss_gradient=self.loss_gradient[:, columns])

    def with_part(self, columns, part):
        """Return the point of `part`'s intercept, scores and coefficients of some columns; those of the others are zero."""
        W = np.zeros_like(self.W)
        W[:, columns] = part.W
        return part._seen_by(self.objective, W=W)

    def _seen_by(self, objective, **changed):
        """Return a copy under another objective: what was computed of the columns is forgotten, the rows' curvature kept."""
        other = copy(self)
        for name in ("value", "gradient", "loss_gradient"):
            other.__dict__.pop(name, None)
        other.__dict__.update(changed, objective=objective)
        return other

    def moved(self, step, tangent, Z, evaluation):
        """Return the point at ``W + step``, given its scores at the intercept ``b + tangent``, which it keeps."""
        return Point(self.objective, self.W + step, self.b + tangent, Z, evaluation)

    def lend(self):
        """Return the memory of the residuals; see `Evaluation.lend`."""
        return self._evaluation.lend()

    def along(self, D):
        """Return the `Line` from here in direction `D`; pays ``X @ D`` once."""
        return Line(self, D, *self._scores_along(D))
