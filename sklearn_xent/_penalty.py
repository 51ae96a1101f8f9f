"""The elastic net ``sum_j l2_j / 2 w_j² + l1_j |w_j|``: value, gradient, prox, conjugate. It never sees rows."""

import numpy as np


def soft_threshold(x, threshold):
    """Shrink `x` towards zero by `threshold`: the prox of ``threshold * |x|``."""
    return x - x.clip(-threshold, threshold)


class ElasticNet:
    """Elastic net with a strength for each feature; the last axis of coefficients is the features.

    Parameters
    ----------
    l1, l2 : ndarray of shape (n_features,)
        Strengths, in units of the mean loss; zero is no penalty.
    """

    def __init__(self, l1, l2):
        self.l1, self.l2 = l1, l2
        self.smooth, self.lasso = not l1.any(), not l2.any()

    @classmethod
    def from_C(cls, C, l1_ratio, total_weight, n_features):
        """Build it from scikit-learn's parameters: ``lambda = 1 / (C * total_weight)``."""
        # Beyond 1e100 every coefficient is zero in double precision already; capped, nothing overflows.
        C, l1_ratio = float(C), float(l1_ratio)  # NumPy's smaller floats would round
        largest, least = max(C, total_weight), min(C, total_weight)  # 1 / C alone may overflow
        strength = min(1 / largest / least, 1e100) if np.isfinite(C) else 0.0
        ones = np.ones(n_features)
        return cls(strength * l1_ratio * ones, strength * (1 - l1_ratio) * ones)

    def rescaled(self, scale):
        """Return the same penalty on ``w / scale``; where `scale` is zero there is no coefficient to penalise."""
        with np.errstate(over="ignore"):
            return ElasticNet(np.minimum(self.l1 * scale, 1e300), np.minimum(self.l2 * scale * scale, 1e300))

    def stiffened(self, l2):
        """Return this penalty and a ridge of strengths `l2` on top."""
        return ElasticNet(self.l1, self.l2 + l2)

    def restrict(self, columns):
        """Return the penalty of some of the features."""
        return ElasticNet(self.l1[columns], self.l2[columns])

    def value(self, w):
        """Penalty of coefficients `w`, a float."""
        with np.errstate(under="ignore", over="ignore"):
            ridge = np.vdot(self.l2 * w, w) / 2
            return float(ridge if self.smooth else ridge + (self.l1 * np.abs(w)).sum())

    def slope(self, w, d, t):
        """Derivative of ``value(w + t d)`` in t: from the left, which a line search must not overshoot; at 0 from the right."""
        x = w + t * d
        ridge = float(np.vdot(self.l2 * x, d))
        if self.smooth:
            return ridge
        beside = np.sign(d) if t == 0 else -np.sign(d)  # sign on that side of what is zero at t
        return ridge + float((self.l1 * np.where(x != 0, np.sign(x), beside) * d).sum())

    def steepest(self, w, gradient):
        """Minimum-norm subgradient of loss + penalty at `w`, given the gradient of the loss."""
        g = gradient if self.lasso else gradient + self.l2 * w
        if self.smooth:
            return g
        steepest, support = soft_threshold(g, self.l1), np.nonzero(w != 0)  # of numbers in long rows, ten times as slow
        steepest[support] = g[support] + self.l1[support[-1]] * np.sign(w[support])
        return steepest

    def felt(self, w, u):
        """Whether each coefficient has a part in the duality gap; zero ones with a slope within the l1 norm's have none."""
        return (w != 0) | ~(np.abs(u) <= self.l1)  # NaN has

    def fenchel_gap(self, w, u):
        """``penalty(w) + conjugate(u) - u w`` of each coefficient, without cancellation; where l2 = 0, needs |u| <= l1.

        With ``u = v + l2 x``, v the part that the l1 norm absorbs and x the minimiser for u, it equals
        ``l2 / 2 (w - x)² + l1 |w| - v w``: two non-negative terms that vanish at the optimum.
        """
        if self.smooth:
            with np.errstate(over="ignore"):
                return np.square(self.l2 * w - u) / (2 * self.l2)
        absorbed = np.clip(u, -self.l1, self.l1)
        lasso = np.maximum(self.l1 * np.abs(w) - absorbed * w, 0)
        if self.lasso:
            return lasso
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            x = np.where(u == absorbed, 0.0, (u - absorbed) / self.l2)
            return lasso + np.where(self.l2 > 0, self.l2 / 2 * np.square(w - x), 0.0)
