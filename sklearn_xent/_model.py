"""Newton's quadratic model, and its minimum with an l1 term: ``<g, x - w> + <x - w, A (x - w)> / 2 + sum l1 |x|``.

`FactoredModel` answers `solve`, which is all where there is no l1 term. With one, accelerated proximal gradient in the
metric of A's diagonal finds the face (zeros and signs) of the minimiser; a Newton step on the face lands on it. Where
collinear columns leave the model flat there, a walk leads to a smaller face. That model is explicit (`ExplicitModel`) or
an operator (`ImplicitModel`); both answer `product`, `diagonal` and `solve` on a face.
"""

from functools import cached_property

import numpy as np

from sklearn_xent._linalg import EPS, LOST, conjugate_gradients, relative, spd_solve
from sklearn_xent._penalty import soft_threshold

STEADY = 3  # sweeps without a change of signs after which the face is taken for the last
FLAT = 1e-8  # of the l1 strength: slope that a Newton step leaves where columns are collinear; elsewhere it is rounding
MOST_WALKS = 10  # to smaller faces at a time, each of which costs two solves
LEAST_POLISH = 20  # products that a Newton step on a face may cost; later as many as there were sweeps


class _HessianModel:
    """What models made of a Hessian share."""

    #: Whether solves are exact.
    exact = True
    #: How flat a line search has to become along a step. Steps to the minimiser of a whole Hessian are too short where
    #: classes part: searched well, they take a third of the iterations less.
    flatness = 1 / 8


class ExplicitModel(_HessianModel):
    """The Hessian as matrices, one a block of outputs.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, m, m)
    shape : tuple of int
        Of coefficients: (n_outputs, n_features).
    """

    def __init__(self, blocks, shape):
        self.blocks, self.shape = blocks, shape

    @classmethod
    def at(cls, point, columns=None):
        """Return the model at a point; if only some `columns` matter (an index array), others are taken for uncorrelated."""
        if columns is None:
            return cls(point.hessian(), point.W.shape)
        objective, n_blocks, size = point.objective, point.objective.n_blocks, point.objective.hessian_order
        order, blocks = _order(columns, point.W.shape, n_blocks), np.zeros((n_blocks, size, size))
        np.einsum("bii->bi", blocks)[:] = np.resize(objective.curvature_bound + objective.penalty.l2, size)
        blocks[:, order[:, None], order] = point.restrict(columns, objective.restrict(columns)).hessian()
        return cls(blocks, point.W.shape)

    @property
    def n_blocks(self):
        return len(self.blocks)

    @cached_property
    def diagonal(self):
        return np.einsum("bii->bi", self.blocks).reshape(self.shape)

    def product(self, v):
        """Hessian times `v`."""
        return np.matmul(self.blocks, self._by_block(v)[:, :, None]).reshape(self.shape)

    def solve(self, right, face, most=None):
        """Solve on the coordinates in `face`, the others staying zero; `most` is for operators."""
        x = np.zeros_like(self._by_block(right))
        for k, (block, b, used) in enumerate(zip(self.blocks, self._by_block(right), self._by_block(face), strict=True)):
            if used.all():
                x[k] = spd_solve(block, b)
            elif used.any():
                x[k, used] = spd_solve(block[np.ix_(used, used)], b[used])
        return x.reshape(self.shape)

    def learn(self, step, change):
        """Correct the Hessian so that it takes `step` to `change`: the BFGS update (Nocedal & Wright 2006, section 6.1)."""
        bends = np.matmul(self.blocks, self._by_block(step)[:, :, None])[:, :, 0]
        self.blocks = self.blocks.copy()  # copies of the model keep theirs
        for block, s, y, bend in zip(self.blocks, self._by_block(step), self._by_block(change), bends, strict=True):
            least = LOST * EPS * (s @ (block.diagonal() * s))  # below, either is rounding: columns are collinear
            if s @ bend > least and s @ y > max(least, EPS * (s @ bend)):
                block += np.outer(y, y) / (s @ y)
                block -= np.outer(bend, bend) / (s @ bend)
        self.__dict__.pop("diagonal", None)

    def restrict(self, columns):
        """Return the model of some of the columns."""
        order = _order(columns, self.shape, len(self.blocks))
        blocks = np.stack([block[np.ix_(order, order)] for block in self.blocks])
        return ExplicitModel(blocks, (self.shape[0], len(columns)))

    def _by_block(self, v):
        return v.reshape(len(self.blocks), -1)


def _order(columns, shape, n_blocks):
    """Places of some columns' coefficients in a block."""
    return (np.arange(shape[0] // n_blocks)[:, None] * shape[1] + columns).ravel()


class FactoredModel(_HessianModel):
    """The Hessian as factors, corrected by every secant pair met since: L-BFGS from that Hessian instead of the identity.

    Nocedal & Wright (2006), Numerical Optimization, algorithm 7.4, for each block of outputs by itself.

    Parameters
    ----------
    factors : list of SemiDefinite or Decoupled
        One a block.
    shape : tuple of int
        Of coefficients: (n_outputs, n_features).
    """

    def __init__(self, factors, shape):
        self.shape, self.factors = shape, factors
        self.pairs = []

    @classmethod
    def at(cls, point):
        """Return the model at a point."""
        return cls(point.factors(), point.W.shape)

    @classmethod
    def averaged(cls, point):
        """Return the model at a point of coupled outputs, every row's curvature taken for its share of the mean one."""
        return cls(point.averaged_factors(), point.W.shape)

    def solve(self, right):
        """Solve for a right-hand side of shape (n_outputs, n_features)."""
        x, kept = right.reshape(len(self.factors), -1).copy(), []
        for s, y, inverse in reversed(self.pairs):
            share = inverse * _inner(s, x)
            x -= share * y
            kept.append(share)
        x = np.stack([factor.solve(b) for factor, b in zip(self.factors, x, strict=True)])
        for (s, y, inverse), share in zip(self.pairs, reversed(kept), strict=True):
            x += (share - inverse * _inner(y, x)) * s
        return x.reshape(self.shape)

    def learn(self, step, change):
        """Take note that the Hessian took `step` to `change`."""
        s, y = (v.reshape(len(self.factors), -1) for v in (step, change))
        bend = _inner(s, y)
        useful = bend > EPS * np.sqrt(_inner(s, s) * _inner(y, y))
        inverse = np.divide(1, bend, out=np.zeros_like(bend), where=useful)
        self.pairs = [*self.pairs, (s, y, inverse)]  # copies of the model keep theirs


def _inner(s, y):
    """Inner product of each row of `s` with that of `y`, shape (n_blocks, 1); matmul is the fastest to call."""
    return np.matmul(s[:, None], y[:, :, None])[:, 0]


class ImplicitModel:
    """The Hessian as an operator: a product costs one pass over the model's columns.

    Parameters
    ----------
    operator : HessianOperator
    accuracy : float
        Relative residual norm of solves.
    max_iter : int
        Most products of a solve.
    enough : callable, optional
        ``enough(r)``: whether a residual r is as small as is of use.
    precondition : callable, optional
        Nearly the Hessian's inverse times an array; without, the diagonal's.
    """

    exact = False
    #: Blocks that its product is known to have.
    n_blocks = 1
    #: A step from conjugate gradients stopped early is no better for being made longer: text with a weak penalty took
    #: half as many passes again.
    flatness = 1 / 2

    def __init__(self, operator, accuracy, max_iter, enough=lambda r: False, precondition=None):
        self.product, self.diagonal = operator.product, operator.diagonal
        self.accuracy, self.max_iter, self.enough = accuracy, max_iter, enough
        self.precondition = precondition

    def solve(self, right, face=None, most=None):
        """Solve on the coordinates in `face` (all, if None), the others staying zero, with `most` products at most."""
        mask = None if face is None else face.astype(float)

        def on_face(v):
            return v if mask is None else v * mask

        return conjugate_gradients(
            lambda v: on_face(self.product(v)),
            on_face(right),
            on_face(self.diagonal),
            stop=relative(self.accuracy, self.enough),
            max_iter=self.max_iter if most is None else min(most, self.max_iter),
            precondition=self.precondition,
        )


def minimise_model(model, gradient, w, l1, accuracy, max_sweeps=300):
    """Step from `w` towards the minimiser of the model with the l1 term.

    Parameters
    ----------
    model : ExplicitModel or ImplicitModel
    gradient, w : ndarray of shape (n_outputs, n_features)
        Gradient of the smooth part at w.
    l1 : ndarray of shape (n_features,)
    accuracy : float
        Sweeps end when the squared optimality violation has fallen by this factor.
    max_sweeps : int
        Most sweeps.

    Returns
    -------
    ndarray of shape (n_outputs, n_features)
        The step ``x - w``; it descends.
    """
    descent = _Accelerated(model, gradient, w, l1)
    first, patience, steady, since, signs = None, STEADY, 0, 0, np.sign(w)
    for sweep in range(max_sweeps):
        violation = descent.sweep()
        first = violation if first is None else first
        if violation <= accuracy * first:
            if violation > 0 and model.exact and patience == STEADY:  # sweeps are slow where a face is flat
                descent.polish(LEAST_POLISH)
            break
        since, before, signs = since + 1, signs, np.sign(descent.x)
        steady = steady + 1 if (signs == before).all() else 0
        if steady == patience or since == 8 * patience:
            descent.polish(max(sweep, LEAST_POLISH))
            # If it was not the last face, the next has to look more like it.
            patience, steady, since, signs = 2 * patience, 0, 0, np.sign(descent.x)
    return descent.x - w


class _Accelerated:
    """Accelerated proximal gradient in the metric of A's diagonal (Beck & Teboulle 2009; restarts: O'Donoghue & Candès 2015).

    Gradients of the model are linear in x, so that extrapolating one costs no product.
    """

    def __init__(self, model, gradient, w, l1):
        self.model, self.l1 = model, l1
        diagonal = self.diagonal = model.diagonal
        curved = diagonal > np.finfo(float).tiny  # what has no curvature stays
        self.inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=curved)
        self.bound(1.0)
        self.x, self.h = w, gradient
        self.y, self.h_y, self.t = w, gradient, 1.0

    def bound(self, curvature):
        """Take `curvature` for the largest of A in the metric: step sizes follow."""
        self.curvature, self.sizes = curvature, self.inverse / curvature
        self.threshold = self.l1 * self.sizes

    def sweep(self):
        """Take one step; returns the squared distance, in the metric, that it moved."""
        while True:
            step = soft_threshold(self.y - self.sizes * self.h_y, self.threshold) - self.y
            product, weighted = self.model.product(step), self.diagonal * step
            bend, length = np.vdot(step, product), self.curvature * np.vdot(step, weighted)
            if not bend > length * (1 + 1e-10):
                break
            self.bound(self.curvature * 1.2 * bend / length)
        x, h = self.y + step, self.h_y + product
        moved = x - self.x
        t = (1 + np.sqrt(1 + 4 * self.t**2)) / 2
        if np.vdot(weighted, moved) < 0:  # momentum points uphill
            self.t, t = 1.0, 1.0
        share = (self.t - 1) / t
        self.y, self.h_y = x + share * moved, h + share * (h - self.h)
        self.x, self.h, self.t = x, h, t
        return length

    def polish(self, most):
        """Newton steps on the face of x, and walks to smaller faces where the model is flat on it.

        An operator solves with `most` products at most: a face that is not the last is not worth more than finding the next.
        """
        for _ in range(MOST_WALKS):
            if not (self._newton(most) and self.model.exact and self._walk()):
                break

    def _newton(self, most):
        """Newton step on the face, flipping signs set to zero, as long as descends; or as far along it as it goes down.

        Returns whether it stayed on the face.
        """
        face, x = self.x != 0, self.x
        newton = self.model.solve(self._descent(), face, most)
        for t in (1.0, 0.5, 0.25, 0.1):
            if self._move(np.where(np.sign(x + t * newton) == np.sign(x), x + t * newton, 0.0)):
                break
        else:
            self._move(self._lowest(newton))
        return bool(((self.x != 0) == face).all())

    def _walk(self):
        """Go down where collinear columns leave the model flat, as far as the l1 norm falls; returns whether there was a way.

        Where the columns of a category sum to one, beside an intercept, no Newton step shifts their coefficients to their
        median, and the slope towards it is no larger than the l1 strength: sweeps would take forever.
        """
        left = self._descent()
        if not (np.abs(left) > FLAT * self.l1).any():
            return False
        return self._move(self._lowest(left - self.model.solve(self.model.product(left), self.x != 0)))

    def _descent(self):
        """Negative gradient of the model with the l1 term on the face of x; zero elsewhere."""
        return np.where(self.x != 0, -(self.h + self.l1 * np.sign(self.x)), 0.0)

    def _lowest(self, d):
        """The lowest place in a direction d on the face, of each block by itself.

        Zeros of coefficients divide the way into pieces of parabolas: it is at the least of one, or where one begins.
        """
        shape = (self.model.n_blocks, -1)
        x, d, rise = (v.reshape(shape) for v in (self.x, d, -self._descent() * d))
        bend = np.maximum((d * self.model.product(d.reshape(self.x.shape)).reshape(shape)).sum(axis=1, keepdims=True), 0)
        kinks = (2 * self.l1 * np.abs(d).reshape(self.x.shape)).reshape(shape)
        none, never = np.zeros((len(x), 1)), np.full((len(x), 1), np.inf)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            zeros = np.where(x * d < 0, -x / d, np.inf)
            order = np.argsort(zeros, axis=1)
            kinks, inner = np.take_along_axis(kinks, order, axis=1), np.take_along_axis(zeros, order, axis=1)
            slopes = rise.sum(axis=1, keepdims=True) + np.cumsum(np.hstack([none, kinks]), axis=1)  # of each parabola at t = 0
            least = np.maximum(np.where(slopes < 0, -slopes / bend, 0.0), np.hstack([none, inner]))
        piece = np.argmax(least <= np.hstack([inner, never]), axis=1)
        t = np.take_along_axis(least, piece[:, None], axis=1)
        t = np.where(np.isfinite(t), t, 0.0)
        return np.where(zeros == t, 0.0, x + t * d).reshape(self.x.shape)

    def _move(self, end):
        """Go to `end` and return True, if that is elsewhere and no higher."""
        step = end - self.x
        if not step.any():
            return False
        product = self.model.product(step)
        change = np.vdot(self.h, step) + np.vdot(step, product) / 2 + np.sum(self.l1 * (np.abs(end) - np.abs(self.x)))
        if change <= 0:
            self.x, self.h = end, self.h + product
            self.y, self.h_y, self.t = self.x, self.h, 1.0
        return bool(change <= 0)
