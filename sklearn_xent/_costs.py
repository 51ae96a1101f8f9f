"""What things cost: the model by which solvers choose samples and Hessians.

In nanoseconds of the machine it was measured on (two cores, float64); only ratios matter, and they vary little
between machines. ``python -m benchmarks --costs`` prints predictions beside measurements.
"""

from dataclasses import dataclass
from math import log, log2

from sklearn_xent._design import Dense

READ = 0.3  # one stored number, once, from memory
SCORE = 25.0  # one score and all that is computed of it in an iteration
ENTRY = 15.0  # one entry of a row's curvature
WEIGH = 0.5  # one number of a row, weighted for a Gram matrix
FACTOR = 0.01  # one of the order³ operations of a factorisation
DRAW = 4.0  # one number copied to a sample
OVERHEAD = 300_000.0  # an iteration, whatever its size

#: Optimality gap of a sample's problem beside how far the sample's optimum is from the whole's: more would be wasted.
SAMPLE_ACCURACY = 0.1


@dataclass(frozen=True)
class Plan:
    """How to solve a problem: from a sample's optimum with the sample's Hessian, or (no sample) with its own Hessians.

    Attributes
    ----------
    cost : float
        Nanoseconds expected.
    n_sampled : int or None
        Rows of the sample.
    """

    cost: float
    n_sampled: int | None


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
        self.multiply, self.gram = design.product_cost, design.gram_cost
        self._plans = {}

    def one_pass(self, n_rows):
        """Scores along a direction, what is computed of them, and a gradient."""
        numbers = n_rows * self.row
        return OVERHEAD + 2 * numbers * (READ + self.multiply * self.n_outputs) + n_rows * self.n_outputs * SCORE

    def hessian(self, n_rows):
        """An explicit Hessian and its factors."""
        return self._hessian(n_rows, self.row, self.gram)

    def dense_hessian(self, n_rows):
        """The same of a dense copy."""
        return self._hessian(n_rows, self.n_features, Dense.gram_cost)

    def _hessian(self, n_rows, row, gram):
        entry = gram * row**2 + WEIGH * row + ENTRY
        return n_rows * self.n_pairs * entry + self.n_blocks * FACTOR * self.order**3

    def excess(self, n_rows):
        """How far a sample's optimum is above the whole's, in expectation: half a unit a parameter (Wilks 1938)."""
        return self.dimension / (2 * n_rows)

    def rate(self, n_rows):
        """Factor by which an iteration shrinks the excess when it is preconditioned by a sample's Hessian.

        Eigenvalues of the preconditioned Hessian lie about in ``(1 ± sqrt(q))²``, q parameters a row (Marchenko & Pastur
        1967), where conjugate gradients gain a factor q. Measured: 0.5 to 1.7 times that.
        """
        return self.dimension / n_rows

    def plan(self, n_rows, start, target):
        """Return the cheapest plan to bring the excess of `n_rows` rows from `start` down to `target`."""
        key = (n_rows, round(log2(target)))
        if key not in self._plans:
            sizes = [n_rows // 2**k for k in range(3, 30) if self.rate(n_rows // 2**k or 1) <= 0.5]  # memory: an eighth of X
            alone = self._alone(n_rows, start, target)
            self._plans[key] = min([Plan(alone, None), *(self._sampled(n_rows, m, start, target) for m in sizes)], key=_cost)
        return self._plans[key]

    def _alone(self, n_rows, start, target):
        """Newton: a few steps to get near, then the number of right digits doubles."""
        return (4 + log2(max(2, log2(max(start / target, 2))))) * (self.hessian(n_rows) + self.one_pass(n_rows))

    def _sampled(self, n_rows, size, start, target):
        before = self.plan(size, start, SAMPLE_ACCURACY * self.excess(size)).cost + self.hessian(size) + size * self.row * DRAW
        n_steps = max(1.0, log(self.excess(size) / target) / -log(self.rate(size)))
        return Plan(before + (1 + n_steps) * self.one_pass(n_rows), size)


def _cost(plan):
    return plan.cost
