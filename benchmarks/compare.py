"""`auto` against each solver of scikit-learn's `LogisticRegression`, on three shapes, as ratios in one run.

A peer counts where it is equally precise: its objective, computed here from its coefficients, is within 1e-8 relative of the
best seen. Peers run at the loosest of a ladder of tolerances that reaches that. Run it as ``python benchmarks/compare.py``.
"""

import argparse
import platform
import statistics
import time

import numpy as np
import scipy
import sklearn
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.__main__ import coefficients, objective, seconds_to_fit

PRECISION = 1e-8
TOLERANCES = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12]
LIMIT_S = 60  # a peer that needs longer than this for one fit is not tried more tightly


def tall_dense(rng):
    """Return 100,000 x 100 numbers whose columns are of different scales."""
    X = rng.standard_normal((100_000, 100)) * np.exp(rng.standard_normal(100))
    return X, _labels(X / X.std(axis=0), rng, 0.3)


def sparse_text(rng):
    """Return 100,000 x 50,000 word counts, about twelve a row, words Zipf-distributed and correlated with the label."""
    n_rows, n_words, a_row = 100_000, 50_000, 12
    frequency = 1 / np.arange(1, n_words + 1)
    words = rng.choice(n_words, size=n_rows * a_row, p=frequency / frequency.sum())
    X = sparse.csr_matrix((np.ones(len(words)), (np.repeat(np.arange(n_rows), a_row), words)), shape=(n_rows, n_words))
    X.sum_duplicates()
    return X, _labels(X, rng, 1.0)


def digits(rng):
    """Return scikit-learn's 1,797 x 64 handwritten digits, ten classes."""
    return load_digits(return_X_y=True)


def _labels(X, rng, strength):
    scores = strength * (X @ rng.standard_normal(X.shape[1]))
    return (rng.random(X.shape[0]) < 1 / (1 + np.exp(-scores))).astype(int)


#: Name, data, task, the peers that solve that task.
WORKLOADS = [
    ("tall dense, 100,000 x 100", tall_dense, "multinomial", ["newton-cholesky", "newton-cg", "lbfgs"]),
    ("sparse text, 100,000 x 50,000", sparse_text, "multinomial", ["newton-cg", "lbfgs"]),
    ("digits, multinomial", digits, "multinomial", ["newton-cholesky", "newton-cg", "lbfgs"]),
    ("digits, One-vs-Rest", digits, "ovr", ["newton-cholesky", "newton-cg", "lbfgs", "liblinear"]),
]


def peer(solver, task, tol):
    """Return scikit-learn's classifier for the task."""
    base = LogisticRegression(solver=solver, tol=tol, max_iter=100_000)
    return base if task == "multinomial" else OneVsRestClassifier(base)


def timed(classifier, X, y, task):
    """Fit once; returns seconds and objective."""
    seconds = seconds_to_fit(classifier, X, y)
    coef, intercept = coefficients(classifier)
    return seconds, objective(coef, intercept, X, y, task, 0.0)


def loosest(solver, task, X, y, best):
    """Return the loosest tolerance at which a peer is precise, or None."""
    for tol in TOLERANCES:
        seconds, value = timed(peer(solver, task, tol), X, y, task)
        if value <= best * (1 + PRECISION):
            return tol
        if seconds > LIMIT_S:
            return None
    return None


def one_pass(X):
    """Seconds of ``X @ d`` and ``X.T @ r``."""
    d = np.ones(X.shape[1])
    start = time.perf_counter()
    _ = X.T @ (X @ d)
    return time.perf_counter() - start


def run(name, make, task, solvers, repeats):
    """Time one workload; prints its lines and returns the ratio of the fastest precise peer to us."""
    X, y = make(np.random.default_rng(0))
    ours = CrossEntropyClassifier(multi_class=task)
    best = timed(CrossEntropyClassifier(multi_class=task, tol=1e-13), X, y, task)[1]
    tolerances = {solver: loosest(solver, task, X, y, best) for solver in solvers}
    seconds = {who: [] for who in ["auto", *solvers]}
    passes = []
    for _ in range(repeats):  # interleaved, so that a slow moment of the machine hits all
        passes.append(min(one_pass(X) for _ in range(3)))
        taken, value = timed(ours, X, y, task)
        seconds["auto"].append(taken)
        for solver, tol in tolerances.items():
            if tol is not None:
                seconds[solver].append(timed(peer(solver, task, tol), X, y, task)[0])
    mine, reading = statistics.median(seconds["auto"]), statistics.median(passes)
    print(f"\n{name}: one pass takes {1e3 * reading:.2f} ms")
    print(f"  {'auto':<17} {mine:9.4f} s  {mine / reading:8.1f} passes' time   {value / best - 1:8.1e} above the optimum")
    ratios = {}
    for solver, tol in tolerances.items():
        if tol is None:
            print(f"  {solver:<17} not within {PRECISION:g} of the optimum at any tolerance tried")
            continue
        ratios[solver] = statistics.median(seconds[solver]) / mine
        print(f"  {solver:<17} {ratios[solver] * mine:9.4f} s  {ratios[solver]:8.2f} times ours (tol={tol:g})")
    return min(ratios.values(), default=np.inf)


def main():
    """Run the workloads from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="part of a workload's name")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    print(f"{versions}, scikit-learn {sklearn.__version__}; medians of {options.repeats} runs")
    chosen = [workload for workload in WORKLOADS if options.only is None or options.only in workload[0]]
    ratios = {name: run(name, make, task, solvers, options.repeats) for name, make, task, solvers in chosen}
    print("\nfastest equally precise peer, as a multiple of our time:")
    for name, ratio in ratios.items():
        print(f"  {name:<32} {ratio:6.2f}")
    raise SystemExit(0 if all(ratio >= 1 for ratio in ratios.values()) else 1)


if __name__ == "__main__":
    main()
