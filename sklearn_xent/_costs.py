"""What things cost: the model by which solvers choose samples and Hessians, and by which threads are worth their while.

In nanoseconds of the machine it was measured on (two cores, float64); to the solvers only ratios matter, and they vary little
between machines. ``python -m benchmarks --costs`` prints predictions beside measurements.
"""

from dataclasses import dataclass
from math import ceil, inf, log, log2

from sklearn_xent._home import WEIGH

SCORE = 25.0  # one score and all that is computed of it in an iteration
ENTRY = 15.0  # one entry of a row's curvature
GENERAL = 0.05  # one multiplication of a general product of small matrices, in one thread
FACTOR = 0.01  # one of the order³ operations of a factorisation
FORM = 8.0  # one entry of a Hessian, summed up and put in its place
SWEEPS = 12.0  # one entry of a Hessian in all the products that an l1 penalty asks for
DRAW = 4.0  # one number copied to a sample
OVERHEAD = 300_000.0  # an iteration, whatever its size

#: Factors by which an iteration shrinks the excess under the Hessian of the origin, or under one averaged over the rows at a
#: sample's optimum; measured: 0.1 to 0.4 where classes overlap, more where they hardly do.
ORIGIN_RATE, AVERAGED_RATE = 0.35, 0.2

#: Optimality gap of a sample's problem beside how far the sample's optimum is from the whole's: more would be wasted.
SAMPLE_ACCURACY = 0.1

#: Factor within which the model tells costs apart.
NEARLY = 1.05


@dataclass(frozen=True)
class Plan:
    """How to solve a problem: from a sample's optimum with the sample's Hessian, or (no sample) with its own Hessians.

    Attributes
    ----------
    cost : float
        Nanoseconds expected.
    n_sampled : int or None
        Rows of the sample.
    averaged : bool
        Whether to begin with the sample's averaged Hessian (`Point.averaged_factors`).
    """

    cost: float
    n_sampled: int | None
    averaged: bool = False


class Costs:
    """Costs of one objective's parts, for any number of its rows.

    Parameters
    ----------
    objective : Objective
    """

    def __init__(self, objective):
        design = objective.design
        self.n_rows, self.row = design.shape[0], design.size / max(design.shape[0], 1)
        (self.n_outputs, self.n_features), self.n_pairs = objective.shape, objective.n_pairs
        self.n_blocks, self.order = objective.n_blocks, objective.hessian_order
        self.dimension = max(1, self.n_outputs * self.n_features)
        self.smooth = objective.penalty.smooth
        self.averages = objective.coupled and self.smooth
        self.design, self.per_number = design, design.per_number(self.n_outputs)
        self._plans = {}

    def one_pass(self, n_rows):
        """Scores along a direction, what is computed of them, and a gradient."""
        return OVERHEAD + 2 * n_rows * self.row * self.per_number + n_rows * self.n_outputs * SCORE

    def hessian(self, n_rows):
        """An explicit Hessian and its factors."""
        entry = FORM if self.smooth else FORM + SWEEPS
        return self._hessian(n_rows, self.design.gram_row(self.n_pairs)) + self.n_blocks * entry * self.order**2

    def copied_hessian(self, n_rows):
        """The same of a dense copy, in one thread and by general products: in few calls."""
        return self._hessian(n_rows, self.n_pairs * (GENERAL * self.n_features**2 + WEIGH * self.n_features))

    def proof(self, n_rows):
        """A Hessian, and which row is the longest in its metric: a quadratic form of each."""
        return self.hessian(n_rows) + n_rows * self.n_blocks * (2 * self.design.gram_cost * self.n_features**2 + ENTRY)

    def averaged_hessian(self, n_rows):
        """One Gram matrix that serves all outputs: at the origin, or of the rows' mean curvature."""
        block = FORM * self.n_features**2 + FACTOR * self.n_features**3
        return n_rows * (self.design.gram_row(1) + ENTRY) + self.n_outputs * block

    def _hessian(self, n_rows, gram_row):
        return n_rows * (gram_row + self.n_pairs * ENTRY) + self.n_blocks * FACTOR * self.order**3

    def excess(self, n_rows):
        """How far a sample's optimum is above the whole's, in expectation: half a unit a parameter (Wilks 1938)."""
        return self.dimension / (2 * n_rows)

    def rate(self, n_rows):
        """Factor by which an iteration shrinks the excess when it is preconditioned by a sample's Hessian.

        Eigenvalues of a preconditioned block lie about in ``(1 ± sqrt(q))²``, q of its parameters a row (Marchenko & Pastur
        1967), where conjugate gradients gain a factor q. Measured: 1.3 to 2.2 times that.
        """
        return 2 * self.order / n_rows

    def plan(self, n_rows, start, target):
        """Return the cheapest plan to bring the excess of `n_rows` rows from `start` down to `target`.

        Among plans that cost nearly the same it is the one with the most rows, which proves more.
        """
        key = (n_rows, round(log2(target)))
        if key not in self._plans:
            sizes = [n_rows // 2**k for k in range(3, 30)]  # memory: an eighth of X
            plans = [Plan(self._alone(n_rows, start, target), None)]
            plans += [self.sampled(n_rows, size, start, target) for size in sizes if self._tells(size)]
            enough = NEARLY * min(plans, key=_cost).cost
            self._plans[key] = next(plan for plan in plans if plan.cost <= enough)  # most rows come first
        return self._plans[key]

    def sampled(self, n_rows, size, start, target):
        """Return the cheapest plan with a sample of this size."""
        whole = n_rows == self.n_rows
        proven = target * size / n_rows if whole else target  # see `SampledDual.promises`
        excess = self.excess(size) / proven
        before = self.plan(size, start, SAMPLE_ACCURACY * self.excess(size)).cost + size * self.row * DRAW
        models = [(self.hessian(size), self.rate(size), False)]
        if self.averages and whole:
            models.append((self.averaged_hessian(size), max(self._averaged_rate(size), AVERAGED_RATE), True))
        step = self.one_pass(n_rows)
        plans = [Plan(before + cost + (1 + _steps(excess, rate)) * step, size, averaged) for cost, rate, averaged in models]
        return min(plans, key=_cost)

    def _tells(self, size):
        """Whether so few rows tell anything of the Hessian."""
        return size > 0 and (self._averaged_rate(size) if self.averages else self.rate(size)) < 1

    def _averaged_rate(self, n_rows):
        return 2 * self.n_features / n_rows

    def _alone(self, n_rows, start, target):
        """From the origin, by its Hessian or by Newton: a few steps to get near, then the number of right digits doubles."""
        one_pass, ratio = self.one_pass(n_rows), max(start / target, 2)
        newton = (3 + log2(max(2, log2(ratio)))) * (self.hessian(n_rows) + one_pass)
        return self.averaged_hessian(n_rows) + one_pass + min(newton, _steps(ratio, ORIGIN_RATE) * one_pass)


def _steps(excess, rate):
    """How many iterations shrink by the factor `excess`, at this rate; at least one."""
    return max(1, ceil(log(excess) / -log(rate))) if rate < 1 else inf


def _cost(plan):
    return plan.cost
