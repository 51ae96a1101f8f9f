"""The main job, ``python -m sklearn_xent``: every solver on real data, side by side with scikit-learn.

One table: seconds, passes over the data, objective, gap, held-out accuracy and log-loss, zero coefficients. Objectives
are computed here from the coefficients, ours and scikit-learn's alike.
"""

import argparse
import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._targets import encode
from sklearn_xent.solvers import SOLVERS, GradientDescent, StochasticGradientDescent

DATA = {"digits": load_digits, "breast-cancer": load_breast_cancer, "iris": load_iris, "wine": load_wine}
PENALTIES = {"ridge": 0.0, "lasso": 1.0}
TOL = 1e-10  # so that second-order solvers show nine digits of one objective
LIMITED = {"bfgs": 200, "lbfgs": 500, "gd": 500, "sgd": 50}  # iterations; these solvers show how far they come with them
VARIANTS = {
    **{name: name for name in SOLVERS},
    "gd": GradientDescent(momentum="nesterov"),
    "sgd": StochasticGradientDescent(adagrad=True),
}


@dataclass
class Row:
    """One line of the table."""

    name: str
    task: str
    penalty: str
    seconds: float
    passes: float
    objective: float
    gap: float
    accuracy: float
    log_loss: float
    zeros: int
    status: str
    history: dict | None = None
    classifier: object = None


def candidates(n_classes):
    """Yield (name, task, penalty, classifier) of everything that is compared."""
    for penalty, l1_ratio in PENALTIES.items():
        for multi_class in ("ovr", "multinomial") if n_classes > 2 else ("binary",):
            for name in SOLVERS:
                limit = LIMITED.get(name, 1000)
                yield (
                    name,
                    multi_class,
                    penalty,
                    CrossEntropyClassifier(
                        solver=VARIANTS[name],
                        multi_class="ovr" if multi_class == "binary" else multi_class,
                        l1_ratio=l1_ratio,
                        tol=TOL,
                        max_iter=limit,
                        random_state=0,
                    ),
                )
            if penalty == "ridge":
                yield from peers(multi_class)


def peers(multi_class):
    """Yield scikit-learn's `LogisticRegression`: as it comes, by newton-cholesky, and One-vs-Rest over either."""
    precise = LogisticRegression(solver="newton-cholesky", tol=1e-8)
    if multi_class != "ovr":
        yield "LogisticRegression", multi_class, "ridge", LogisticRegression()
        yield "LR newton-cholesky", multi_class, "ridge", precise
    if multi_class != "multinomial":
        yield "OneVsRest(LR)", multi_class, "ridge", OneVsRestClassifier(LogisticRegression())
        yield "OneVsRest(LR n-chol.)", multi_class, "ridge", OneVsRestClassifier(precise)


def measure(name, task, penalty, classifier, split):
    """Fit one classifier and describe it as a `Row`."""
    X, X_test, y, y_test = split
    seconds = seconds_to_fit(classifier, X, y)
    coef, intercept = coefficients(classifier)
    return Row(
        name=name,
        task=task,
        penalty=penalty,
        seconds=seconds,
        passes=getattr(classifier, "n_passes_", np.nan),
        objective=objective(coef, intercept, X, y, task, PENALTIES[penalty]),
        gap=getattr(classifier, "optimality_gap_", np.nan),
        accuracy=classifier.score(X_test, y_test),
        log_loss=log_loss(y_test, classifier.predict_proba(X_test), labels=classifier.classes_),
        zeros=int(np.sum(coef == 0)),
        status=getattr(classifier, "status_", ""),
        history=getattr(classifier, "history_", None),
        classifier=classifier,
    )


def seconds_to_fit(classifier, X, y):
    """Fit, silent about convergence: the table shows it."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(X, y)
    return time.perf_counter() - start


def coefficients(classifier):
    """Coefficients and intercepts as arrays, of one estimator or of scikit-learn's One-vs-Rest over several."""
    if hasattr(classifier, "coef_"):
        return classifier.coef_, classifier.intercept_
    parts = classifier.estimators_
    return np.vstack([part.coef_ for part in parts]), np.concatenate([part.intercept_ for part in parts])


def objective(coef, intercept, X, y, task, l1_ratio):
    """Mean loss + penalty / n, for C = 1."""
    targets = encode(y, np.ones(len(y)), None, "multinomial" if task == "multinomial" else "ovr")
    scores = X @ coef.T + intercept
    losses = targets.loss.values(scores, targets.loss.residuals(scores))
    penalty = (1 - l1_ratio) / 2 * np.sum(coef**2) + l1_ratio * np.sum(np.abs(coef))
    return losses.sum() / len(y) + penalty / len(y)


class Progress:
    """A bar on the terminal; silent elsewhere."""

    def __init__(self, total, stream=sys.stderr):
        self.total, self.done = total, 0
        self.stream = stream if stream.isatty() else None

    def show(self, what):
        """Announce the next piece of work."""
        if self.stream:
            width = 30
            filled = "#" * (width * self.done // self.total)
            self.stream.write(f"\r[{filled:<{width}}] {self.done}/{self.total} {what:<40}")
            self.stream.flush()
        self.done += 1

    def close(self):
        """Clear the line."""
        if self.stream:
            self.stream.write("\r" + " " * 90 + "\r")


HEADER = (
    f"{'solver':<22}{'task':<12}{'penalty':<8}{'seconds':>8}{'passes':>9}{'objective':>17}{'gap':>10}"
    f"{'accuracy':>10}{'log-loss':>10}{'zeros':>7}  status"
)


def line(row):
    """One row of the table as text."""
    passes = f"{row.passes:9.0f}" if np.isfinite(row.passes) else f"{'-':>9}"
    gap = f"{row.gap:10.1e}" if np.isfinite(row.gap) else f"{'-':>10}"
    return (
        f"{row.name:<22}{row.task:<12}{row.penalty:<8}{row.seconds:8.3f}{passes}{row.objective:17.12f}{gap}"
        f"{row.accuracy:10.4f}{row.log_loss:10.4f}{row.zeros:7d}  {row.status}"
    )


def compare(data="digits"):
    """Fit everything on one data set; returns the rows of the table and prints them as they come."""
    X, y = DATA[data](return_X_y=True)
    split = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    n_classes = len(np.unique(y))
    work = list(candidates(n_classes))
    progress = Progress(len(work))
    print(f"{data}: {split[0].shape[0]} rows to learn from, {X.shape[1]} features, {n_classes} classes, C = 1\n\n{HEADER}")
    rows, group = [], None
    for name, task, penalty, classifier in work:
        progress.show(f"{name}, {task}, {penalty}")
        rows.append(measure(name, task, penalty, classifier, split))
        progress.close()
        if group is not None and group != (task, penalty):
            print()
        group = (task, penalty)
        print(line(rows[-1]), flush=True)
    return rows


def main(arguments=None):
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_xent", description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=DATA, default="digits", help="data set (default: digits)")
    parser.add_argument("--plot", metavar="FILE", help="draw convergence and One-vs-Rest weights into FILE")
    options = parser.parse_args(arguments)
    if options.plot:
        from sklearn_xent._plots import require_matplotlib

        require_matplotlib()
    rows = compare(options.data)
    if options.plot:
        from sklearn_xent._plots import draw

        draw(rows, options.data, options.plot)
        print(f"\nwrote {options.plot}")


if __name__ == "__main__":
    main()
