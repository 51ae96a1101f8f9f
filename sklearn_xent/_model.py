"""Newton's quadratic model with an l1 term: ``<g, x - w> + <x - w, A (x - w)> / 2 + sum l1 |x|``.

Proximal-gradient steps in the metric of A's diagonal find the face (zeros and signs) of the minimiser; a Newton step on
the face, stopped at zero where a sign would flip, lands on it. The model is explicit (`ExplicitModel`) or an
operator (`ImplicitModel`); both answer `product`, `diagonal` and `solve` on a face.
"""

import numpy as np

from sklearn_xent._linalg import conjugate_gradients, relative, spd_solve
from sklearn_xent._penalty import soft_threshold


class ExplicitModel:
    """The Hessian as matrices, one a block of outputs.

    Parameters
    ----------
    point : Point
        Where the model is built.
    """

    def __init__(self, point):
        self.blocks = point.hessian()
        self.shape = point.W.shape
        self.diagonal = np.einsum("bii->bi", self.blocks).reshape(self.shape)

    def product(self, v):
        """Hessian times `v`."""
        return np.einsum("bij,bj->bi", self.blocks, self._by_block(v), optimize=True).reshape(self.shape)

    def solve(self, right, face=None):
        """Solve on the coordinates in `face` (all, if None), the others staying zero."""
        face = np.ones(self.shape, dtype=bool) if face is None else face
        x = np.zeros_like(self._by_block(right))
        for k, (block, b, used) in enumerate(zip(self.blocks, self._by_block(right), self._by_block(face), strict=True)):
            if used.all():
                x[k] = spd_solve(block, b)
            elif used.any():
                x[k, used] = spd_solve(block[np.ix_(used, used)], b[used])
        return x.reshape(self.shape)

    def _by_block(self, v):
        return v.reshape(len(self.blocks), -1)


class ImplicitModel:
    """The Hessian as an operator: a product costs one pass over the model's columns.

    Parameters
    ----------
    point : Point
        Where the model is built.
    accuracy : float
        Relative residual norm of solves.
    max_iter : int
        Most products of a solve.
    """

    def __init__(self, point, accuracy, max_iter):
        self.product, self.diagonal = point.hessian_vector, point.hessian_diagonal
        self.accuracy, self.max_iter = accuracy, max_iter

    def solve(self, right, face=None):
        """Solve on the coordinates in `face` (all, if None), the others staying zero."""
        mask = 1.0 if face is None else face.astype(float)
        return conjugate_gradients(
            lambda v: self.product(v) * mask,
            right * mask,
            self.diagonal * mask,
            stop=relative(self.accuracy),
            max_iter=self.max_iter,
        )


def minimise_model(model, gradient, w, l1, accuracy, max_sweeps=50):
    """Step from `w` to the minimiser of the model with the l1 term.

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
        The step ``x - w``.
    """
    metric = np.where(model.diagonal > 0, model.diagonal, 1.0)
    x, h, first = w, gradient, None
    for _ in range(max_sweeps):
        target = soft_threshold(x - h / metric, l1 / metric)
        step = np.where(model.diagonal > 0, target - x, 0)
        violation = np.sum(metric * np.square(step))
        first = violation if first is None else first
        if violation <= accuracy * first:
            break
        x, h = _towards(model, x, h, l1, step)
        face = x != 0
        newton = model.solve(-(h + l1 * np.sign(x)), face)
        x, h = _along_face(model, x, h, l1, newton)
    return x - w


def _towards(model, x, h, l1, step):
    """Exact search along a prox-gradient step, the l1 term replaced by its chord (convexity makes that safe)."""
    product = model.product(step)
    slope = np.vdot(h, step) + np.sum(l1 * (np.abs(x + step) - np.abs(x)))
    bend = np.vdot(step, product)
    t = 1.0 if bend <= -slope else -slope / bend
    return x + t * step, h + t * product


def _along_face(model, x, h, l1, newton):
    """Newton step on a face: whole with flipping signs set to zero if that descends, else up to the first flip."""
    end = np.where(np.sign(x + newton) == np.sign(x), x + newton, 0.0)
    step = end - x
    product = model.product(step)
    change = np.vdot(h, step) + np.vdot(step, product) / 2 + np.sum(l1 * (np.abs(end) - np.abs(x)))
    if change <= 0:
        return end, h + product
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(x * newton < 0, -x / newton, np.inf)
    t = min(1.0, reach.min())
    end = np.where(reach <= t, 0.0, x + t * newton)
    return end, h + model.product(end - x)
