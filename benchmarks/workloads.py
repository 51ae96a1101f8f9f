"""What is solved: one line a workload, with its target."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from sklearn.preprocessing import LabelEncoder

from benchmarks import data
from benchmarks.mathematics import lambda_max


@dataclass
class Problem:
    """One optimisation problem, as peers get it.

    Attributes
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    task : {"binary", "ovr", "multinomial"}
    C, l1_ratio : float
        As in LogisticRegression.
    fit_intercept : bool
    grid : tuple of float
        The Cs of a grid search; empty where one fit is timed.
    folds : int
        Of the grid search.
    """

    X: object
    y: np.ndarray
    task: str
    C: float
    l1_ratio: float
    fit_intercept: bool = True
    grid: tuple = ()
    folds: int = 5
    codes: np.ndarray = field(init=False)

    def __post_init__(self):
        self.codes = LabelEncoder().fit_transform(self.y)

    @property
    def penalty(self):
        """Name of the penalty: ridge or lasso."""
        return "lasso" if self.l1_ratio else "ridge"

    @property
    def n_outputs(self):
        """Number of score columns."""
        return 1 if self.task == "binary" else int(self.codes.max()) + 1


@dataclass(frozen=True)
class Workload:
    """A problem to draw, and what is claimed of it.

    Attributes
    ----------
    name : str
    draw : callable
        From a random generator and a shape to ``(X, y)``.
    shape, quick : tuple of int
        Size, and size under ``--quick``.
    target : float
        Ratio of the fastest precise named peer's time to ours that is aimed at.
    named : tuple of str
        Peers that the target names.
    task : {"binary", "ovr", "multinomial"}
    C : float
        Of a ridge.
    fraction : float
        Of a lasso: its lambda over lambda_max. 0 is a ridge.
    fit_intercept : bool
    n_grid : int
        Number of Cs of a grid search; 0 is one fit.
    calls : int
        Fits a timing, its result being their median: more than one where a fit takes milliseconds.
    """

    name: str
    draw: Callable
    shape: tuple
    quick: tuple
    target: float
    named: tuple
    task: str = "binary"
    C: float = 1.0
    fraction: float = 0.0
    fit_intercept: bool = True
    n_grid: int = 0
    calls: int = 1

    def problem(self, quick=False, seed=0):
        """Draw the problem."""
        X, y = _drawn(self.draw, self.quick if quick else self.shape, seed)
        C = self.C
        if self.fraction:
            C = 1 / (self.fraction * lambda_max(X, y, self.fit_intercept) * len(y))
        return Problem(
            X,
            y,
            self.task,
            C,
            float(self.fraction > 0),
            self.fit_intercept,
            grid=tuple(np.logspace(-4, 4, min(5, self.n_grid) if quick else self.n_grid)),
            folds=3 if quick else 5,
        )


@functools.lru_cache(maxsize=1)
def _drawn(draw, shape, seed):
    """Data that consecutive workloads share is drawn once."""
    return draw(np.random.default_rng(seed), shape)


LOGISTIC_REGRESSION = ("lbfgs", "newton-cg", "newton-cholesky", "liblinear", "saga")
TEXT = {"draw": data.text, "shape": (100_000, 50_000), "quick": (5_000, 3_000), "target": 3}
TALL_LASSO = {"draw": data.dense, "shape": (100_000, 200), "quick": (4_000, 50), "target": 5}
WIDE_LASSO = {"draw": data.dense, "shape": (300, 20_000), "quick": (80, 1_500), "target": 3, "named": ("skglm", "liblinear")}
DIGITS = {
    "draw": data.digits,
    "shape": (1_797, 64),
    "quick": (600, 64),
    "target": 5,
    "named": ("newton-cg", "newton-cholesky"),
    "calls": 3,
}
MANY_ROWS = {
    "draw": data.ten_classes,
    "shape": (60_000, 200),
    "quick": (2_000, 20),
    "target": 4,
    "named": ("newton-cg",),
}
SMALL = {"target": 4, "named": LOGISTIC_REGRESSION, "calls": 5}

WORKLOADS = [
    Workload("tall dense ridge, ill-scaled", data.ill_scaled, (300_000, 100), (10_000, 40), 5, ("newton-cholesky", "glum")),
    Workload("thin dense ridge", data.dense, (1_000_000, 20), (30_000, 10), 3, ("newton-cholesky",)),
    Workload("medium dense ridge", data.dense, (100_000, 500), (3_000, 80), 4, ("newton-cholesky",)),
    Workload("wide dense ridge", data.dense, (500, 20_000), (80, 1_500), 3, ("newton-cg", "lbfgs", "liblinear-dual")),
    *(
        Workload(f"dense lasso, tall, lambda_max/{part}", fraction=1 / part, named=("liblinear", "glum"), **TALL_LASSO)
        for part in (10, 100, 1000)
    ),
    Workload(
        "dense lasso, tall, lambda_max/100, no intercept", fraction=1 / 100, named=("celer",), fit_intercept=False, **TALL_LASSO
    ),
    *(Workload(f"dense lasso, wide, lambda_max/{part}", fraction=1 / part, calls=5, **WIDE_LASSO) for part in (5, 20)),
    *(Workload(f"sparse text-like ridge, C={C}", C=C, named=("newton-cg", "liblinear"), **TEXT) for C in (1, 100)),
    *(
        Workload(f"sparse text-like lasso, lambda_max/{part}", fraction=1 / part, named=("liblinear", "skglm"), calls=3, **TEXT)
        for part in (10, 50, 200)
    ),
    Workload("digits, One-vs-Rest", task="ovr", **DIGITS),
    Workload("digits, multinomial", task="multinomial", **DIGITS),
    Workload("many rows, One-vs-Rest", task="ovr", **MANY_ROWS),
    Workload("many rows, multinomial", task="multinomial", **MANY_ROWS),
    Workload("small: iris", data.iris, (150, 4), (150, 4), task="multinomial", **SMALL),
    Workload("small: breast cancer", data.breast_cancer, (569, 30), (569, 30), **SMALL),
    Workload("small: wine", data.wine, (178, 13), (178, 13), task="multinomial", **SMALL),
    Workload(
        "grid search: breast cancer, scaled",
        data.scaled_breast_cancer,
        (569, 30),
        (569, 30),
        4,
        LOGISTIC_REGRESSION,
        n_grid=20,
    ),
]
