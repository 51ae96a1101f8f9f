"""Stochastic and mini-batch gradient descent, with momentum or Adagrad."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_xent._checks import check_integer, check_real, check_real_or
from sklearn_xent._penalty import soft_threshold
from sklearn_xent.solvers._base import DIVERGED, Solver

NEARLY_FULL = 30  # epochs, until steps are 0.7 of the first: slow coordinates need many long ones before noise matters


class StochasticGradientDescent(Solver):
    """Proximal stochastic gradient descent over reshuffled mini-batches, in the units of the data.

    What is kept of an epoch is a weighted average of the iterates that favours the late ones (Shamir & Zhang 2013,
    section 4), so that the noise of single batches averages out and the run converges.

    Parameters
    ----------
    batch_size : int, default=32
        Rows a step; 1 is purely stochastic.
    step_size : "auto" or float, default="auto"
        First step; after k epochs it is ``step_size / sqrt(1 + k / 30)`` (Adagrad slows down by itself). "auto" is half the
        inverse of the expected smoothness of a batch (Gower et al. 2019, proposition 3.8); with Adagrad, a coefficient
        that moves the log-odds by one half.
    momentum : float in [0, 1), default=0.0
        Share of the last step that is repeated.
    adagrad : bool, default=False
        Divide each coefficient's step by the root of its summed squared gradients (Duchi, Hazan & Singer 2011).
    n_epochs : int, default=100
        Most sweeps over the data; the estimator's `max_iter` bounds them too.
    """

    _patience = 100

    def __init__(self, batch_size=32, step_size="auto", momentum=0.0, adagrad=False, n_epochs=100):
        self.batch_size = batch_size
        self.step_size = step_size
        self.momentum = momentum
        self.adagrad = adagrad
        self.n_epochs = n_epochs

    def check_params(self):
        check_integer("batch_size", self.batch_size, 1)
        check_integer("n_epochs", self.n_epochs, 1)
        check_real_or("step_size", self.step_size, "auto", "a positive float", lambda v: 0 < v < np.inf)
        check_real("momentum", self.momentum, "a float from 0 up to, not including, 1", lambda v: 0 <= v < 1)
        if not isinstance(self.adagrad, bool | np.bool_):
            raise TypeError(f"adagrad must be True or False; got {self.adagrad!r}.")

    def _prepare(self, objective):
        return objective

    def _limit(self):
        return self.n_epochs

    def _run(self, point, monitor, random_state):
        random_state = check_random_state(random_state)
        objective = point.objective
        state = _State(point, self._steps(objective), self.momentum)
        with np.errstate(over="ignore", invalid="ignore"):  # a given step may be too long
            while not monitor.accept(point):
                rate = 1.0 if self.adagrad else 1 / np.sqrt(1 + monitor.n_iter / NEARLY_FULL)
                order = random_state.permutation(objective.design.shape[0])
                for start in range(0, len(order), self.batch_size):
                    state.update(objective, order[start : start + self.batch_size], rate)
                point = state.average(objective)
                if not point.value < DIVERGED:
                    break
        if not objective.penalty.smooth:
            sparser = _sparser(monitor.best)
            monitor.refine(sparser, monitor.certificate.gap(sparser))
        monitor.stall()

    def _steps(self, objective):
        """Return a function: gradients of the coefficients and the intercept to their step sizes."""
        spread = np.sqrt(objective.second_moment)
        if self.adagrad:
            natural = np.divide(0.5, spread, out=np.zeros_like(spread), where=spread > 0)
            return _adagrad(natural if self.step_size == "auto" else self.step_size)
        size = self.step_size
        if size == "auto":
            size = (1 - self.momentum) * _expected_step(objective, self.batch_size)
        return lambda *gradients: [size] * len(gradients)


class _State:
    """The running iterate and its average, coefficients and intercept side by side."""

    def __init__(self, point, steps, momentum):
        self.now = [point.W, point.b]
        self.mean = [point.W, point.b]
        self.velocity = [np.zeros_like(part) for part in self.now]
        self.steps, self.momentum, self.t = steps, momentum, 0

    def update(self, objective, rows, rate):
        self.t += 1
        penalty = objective.penalty
        gradients = list(objective.stochastic_gradient(*self.now, rows))
        gradients[0] += penalty.l2 * self.now[0]
        sizes = [rate * size for size in self.steps(*gradients)]
        for k, (gradient, size) in enumerate(zip(gradients, sizes, strict=True)):
            self.velocity[k] = self.momentum * self.velocity[k] - size * gradient
            self.now[k] = self.now[k] + self.velocity[k]
        self.now[0] = soft_threshold(self.now[0], sizes[0] * penalty.l1)
        share = 4 / (self.t + 3)  # polynomial-decay averaging with eta = 3
        self.mean = [mean + share * (now - mean) for mean, now in zip(self.mean, self.now, strict=True)]

    def average(self, objective):
        """The point at the averaged coefficients; its intercept is exact."""
        return objective.at(*self.mean)


def _adagrad(size):
    sums = []

    def steps(*gradients):
        if not sums:
            sums.extend(np.zeros_like(gradient) for gradient in gradients)
        for total, gradient in zip(sums, gradients, strict=True):
            total += np.square(gradient)
        roots = [np.sqrt(np.maximum(total, 1e-300)) for total in sums]
        return size / roots[0], (0.5 if np.ndim(size) else size) / roots[1]

    return steps


def _expected_step(objective, batch_size):
    n = objective.design.shape[0]
    squares, weight = objective.design.row_squares(objective.centre, objective.scale), objective.row_weight
    longest = max(np.max(weight[rows] * (some + 1)) for rows, some in squares)  # one for the intercept
    largest = objective.loss.smoothness * n * longest
    whole = objective.lipschitz() + objective.loss.smoothness
    b = min(batch_size, n)
    smoothness = largest if n == 1 else (n * (b - 1) * whole + (n - b) * largest) / (b * (n - 1))
    return 1 / (2 * smoothness + 2 * objective.penalty.l2.max(initial=0))


def _sparser(point):
    """The point without coefficients that a proximal step would set to zero: an average of sparse iterates is not sparse."""
    objective = point.objective
    metric = np.maximum(objective.curvature_bound + objective.penalty.l2, 1e-300)
    target = soft_threshold(point.W - point.smooth_gradient / metric, objective.penalty.l1 / metric)
    return point.along(np.where(target == 0, -point.W, 0)).point(1.0)
