"""BFGS and L-BFGS by SciPy's `minimize`."""

import numpy as np
from scipy.optimize import minimize

from sklearn_xent._checks import check_integer
from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.newton import check_memory

UNLIMITED = 10**9  # the monitor stops the run, not SciPy


class _Variables:
    """Coefficients as SciPy's flat vector, scaled so that the largest curvature of each is one.

    With an l1 penalty each coefficient is the difference of a positive and a negative part, both bounded below by
    zero: their sum is its absolute value wherever one of them is zero, as it is at the optimum.
    """

    def __init__(self, objective):
        self.objective = objective
        bound = objective.curvature_bound + objective.penalty.l2
        self.unit = np.divide(1, np.sqrt(bound), out=np.zeros_like(bound), where=bound > 0)
        self.split = not objective.penalty.smooth
        self.count = int(np.prod(objective.shape)) * (2 if self.split else 1)
        self.bounds = [(0, None)] * self.count if self.split else None
        self.point, self._x = None, None
        self._reference, self._offset = None, 0.0

    def pack(self, W):
        """Coefficients to variables."""
        x = np.divide(W, self.unit, out=np.zeros_like(W), where=self.unit > 0)
        return np.concatenate([np.maximum(x, 0).ravel(), np.maximum(-x, 0).ravel()]) if self.split else x.ravel()

    def at(self, x):
        """Return the point at variables `x`; the last one is remembered."""
        if self._x is None or not np.array_equal(x, self._x):
            parts = x.reshape(-1, *self.objective.shape)
            W = (parts[0] - parts[1] if self.split else parts[0]) * self.unit
            b = None if self.point is None else self.point.b
            self.point, self._x = self.objective.at(W, b), x.copy()
        return self.point

    def restart(self, point):
        """Return the variables at `point`, from where values count."""
        x = self.pack(point.W)
        self._reference, self._offset = None, point.value
        self.settle(x)
        return x

    def settle(self, x):
        """SciPy accepted `x`: small changes count from there."""
        self._reference = (x.copy(), *self.value_and_gradient(x))
        return self.at(x)

    def value_and_gradient(self, x):
        """Objective above the start's, and its gradient in the variables.

        Differences of values drown in rounding long before gradients do; a small change is therefore the mean slope times
        the step (the trapezoidal rule: what Hager & Zhang 2005, section 4, do in their line search).
        """
        value, gradient = self._exact(x)
        if self._reference is not None:
            base, base_value, base_gradient = self._reference
            change = float((gradient + base_gradient) @ (x - base)) / 2
            if abs(change) <= 1e-9 * self.point.value:
                value = base_value + change
        return value, gradient

    def _exact(self, x):
        point, penalty = self.at(x), self.objective.penalty
        smooth = point.smooth_gradient * self.unit
        if not self.split:
            return point.value - self._offset, smooth.ravel()
        l1 = penalty.l1 * self.unit
        overlap = np.minimum(*x.reshape(2, *self.objective.shape))  # what |w| does not see of the two parts
        value = point.value - self._offset + 2 * float(np.sum(l1 * overlap))
        return value, np.concatenate([(smooth + l1).ravel(), (l1 - smooth).ravel()])


class _QuasiNewton(Solver):
    _patience = 300

    def _check_size(self, objective):
        """Raise if the method can not hold what it needs."""

    def _run(self, point, monitor, random_state):
        self._check_size(point.objective)
        if monitor.accept(point):
            return
        variables = _Variables(point.objective)

        def callback(x):
            if monitor.accept(variables.settle(x)):
                raise StopIteration

        before = None
        while monitor.status is None and (monitor.best, point) != before:  # SciPy gave up: forget curvature and restart
            before = (monitor.best, point)
            try:
                end = minimize(
                    variables.value_and_gradient,
                    variables.restart(point),
                    jac=True,
                    bounds=variables.bounds,
                    callback=callback,
                    **self._options(variables.split, variables.count),
                )
            except StopIteration:  # SciPy before 1.11 lets it through
                break
            point = variables.at(end.x) if end.nit > 0 else point
        monitor.stall()


class LBFGS(_QuasiNewton):
    """Limited-memory BFGS (Byrd, Lu, Nocedal & Zhu 1995) by `scipy.optimize.minimize`.

    With an l1 penalty the coefficients split into positive and negative parts with bounds.

    Parameters
    ----------
    memory : int, default=20
        Pairs of steps and gradient changes that approximate the Hessian.
    """

    def __init__(self, memory=20):
        self.memory = memory

    def check_params(self):
        check_integer("memory", self.memory, 1)

    def _options(self, split, count):
        return _lbfgsb_options(min(self.memory, count))


class BFGS(_QuasiNewton):
    """BFGS with a dense inverse Hessian, by `scipy.optimize.minimize`: for up to a thousand or so coefficients.

    SciPy's BFGS knows no bounds, which the split of an l1 penalty needs; there it is L-BFGS-B with a memory of
    100 pairs.
    """

    def _check_size(self, objective):
        if objective.penalty.smooth:
            check_memory("bfgs", "lbfgs", int(np.prod(objective.shape)) ** 2)

    def _options(self, split, count):
        if split:
            return _lbfgsb_options(min(100, count))
        return {"method": "BFGS", "options": {"gtol": 0.0, "maxiter": UNLIMITED}}


def _lbfgsb_options(memory):
    options = {"maxcor": memory, "ftol": 0.0, "gtol": 0.0, "maxiter": UNLIMITED, "maxfun": UNLIMITED, "maxls": 50}
    return {"method": "L-BFGS-B", "options": options}
