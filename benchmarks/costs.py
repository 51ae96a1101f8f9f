"""The model of costs beside the clock: ``python -m benchmarks --costs``."""

import time
from unittest import mock

import numpy as np
from scipy import sparse

from benchmarks.workloads import WORKLOADS
from sklearn_xent import CrossEntropyClassifier, _targets
from sklearn_xent._certificate import Certificate, SampledDual
from sklearn_xent._costs import Costs
from sklearn_xent._design import as_design
from sklearn_xent._objective import Objective
from sklearn_xent._penalty import ElasticNet
from sklearn_xent._threads import team

#: Workloads whose certificates are timed.
TALL = ("tall dense ridge, ill-scaled", "dense lasso, tall, lambda_max/100")
#: Rows, columns, numbers stored in a row (None: all, a dense array), classes and task.
SHAPES = [
    (300_000, 100, None, 2, "ovr"),
    (500_000, 20, None, 2, "ovr"),
    (40_000, 500, None, 2, "ovr"),
    (40_000, 100, None, 10, "ovr"),
    (20_000, 60, None, 10, "multinomial"),
    (1_000, 20, None, 2, "ovr"),
    (100_000, 200, 5, 2, "ovr"),
    (30_000, 800, 20, 2, "ovr"),
    (30_000, 100, 40, 2, "ovr"),
    (30_000, 100, 5, 6, "multinomial"),
]


def table(shapes=SHAPES):
    """Predicted and measured times of a pass and of a Hessian, as Markdown; only their ratios matter to the plans."""
    lines = [
        "| rows x columns, classes | pass, ms | predicted | Hessian, ms | predicted | Hessian / pass | predicted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for n_rows, n_features, n_stored, n_classes, task in shapes:
        one_pass, hessian, costs = times(n_rows, n_features, n_stored, n_classes, task)
        foreseen = costs.one_pass(n_rows) / 1e6, costs.hessian(n_rows) / 1e6
        figures = [one_pass, foreseen[0], hessian, foreseen[1], hessian / one_pass, foreseen[1] / foreseen[0]]
        shape = f"{n_rows:,} x {n_features}{f' ({n_stored} stored)' if n_stored else ''}, {n_classes} {task}"
        lines.append(" | ".join([f"| {shape}", *(f"{figure:.3g}" for figure in figures)]) + " |")
    return "\n".join(lines)


def times(n_rows, n_features, n_stored, n_classes, task, repeats=3):
    """Milliseconds of an iteration's pass and of a Hessian with its factors, and the costs that were predicted from."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, n_rows)
    if n_stored is None:
        X = rng.standard_normal((n_rows, n_features))
    else:
        X = sparse.random(n_rows, n_features, n_stored / n_features, "csr", random_state=0)
    targets = _targets.encode(y, _targets.check_weights(None, n_rows), None, task)
    with team(X.size):
        objective = Objective(
            as_design(X), targets.loss, targets.weights, ElasticNet.from_C(1.0, 0.0, n_rows, n_features), True
        )
        origin = objective.origin()
        D = -1e-3 * origin.gradient
        point = origin.along(D).point(1.0)  # at the origin itself one Gram matrix would serve all entries
        one_pass = min(_clock(lambda: point.along(D).point(1.0).gradient) for _ in range(repeats))
        hessian = min(_clock(lambda: [np.linalg.cholesky(block) for block in point.hessian()]) for _ in range(repeats))
    return 1e3 * one_pass, 1e3 * hessian, Costs(objective)


def certificates(names=TALL, quick=False, repeats=3):
    """What share of a fit's time its certificates take, as Markdown; the gradients they read are the solver's."""
    lines = ["| workload | fit, s | certificates | share |", "| --- | --- | --- | --- |"]
    for workload in WORKLOADS:
        if workload.name in names:
            seconds, spent = _certified(workload.problem(quick), repeats)
            lines.append(f"| {workload.name} | {seconds:.3g} | {spent:.2g} | {spent / seconds:.1%} |")
    return "\n".join(lines)


def _certified(problem, repeats):
    """Seconds of a fit and of the certificates in it, medians."""
    spent = []

    def timed(gap):
        def measured(self, point, *rest):
            point.gradient  # noqa: B018 (computed here, so that it is not counted)
            start = time.perf_counter()
            found = gap(self, point, *rest)
            spent[-1] += time.perf_counter() - start
            return found

        return measured

    seconds, fit = [], CrossEntropyClassifier(C=problem.C, l1_ratio=problem.l1_ratio)
    with (
        mock.patch.object(Certificate, "gap", timed(Certificate.gap)),
        mock.patch.object(SampledDual, "gap", timed(SampledDual.gap)),
    ):
        for _ in range(repeats):
            spent.append(0.0)
            seconds.append(_clock(lambda: fit.fit(problem.X, problem.y)))
    return float(np.median(seconds)), float(np.median(spent))


def _clock(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
