"""Suboptimality against seconds, one picture a workload."""

import re

import numpy as np

from benchmarks.measure import PRECISIONS

#: Okabe and Ito's colours, which the colour-blind tell apart; markers tell the rest.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#999999")
MARKERS = "os^Dv"
FLOOR = 1e-16


def file_name(name):
    """Return a workload's name as a file name."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") + ".png"


def draw(result, path):
    """Draw one result into a file: ours along its iterations, peers along their ladders."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained", dpi=120)
    axes = figure.subplots()
    for index, outcome in enumerate(result.outcomes[1:]):
        if outcome.attempts:
            style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
            style["linestyle"] = "--" if index >= len(COLOURS) else "-"
            axes.loglog(*_ladder(outcome), label=outcome.name, linewidth=1.5, markersize=5, **style)
    seconds, excess = _descent(result)
    axes.loglog(seconds, excess, color="black", linewidth=3.5, marker="o", markersize=4, label="ours", zorder=5)
    for precision in PRECISIONS:
        axes.axhline(precision, color="0.8", linewidth=1, zorder=0)
    axes.set_xlabel("seconds")
    axes.set_ylabel("relative suboptimality")
    axes.set_title(f"{result.name}, {result.shape[0]:,} x {result.shape[1]:,}")
    axes.set_ylim(bottom=FLOOR / 2)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path)


def _ladder(outcome):
    """Seconds and suboptimality of the attempts that came closer than those before them."""
    closer, closest = [], np.inf
    for attempt in outcome.attempts:
        if attempt.suboptimality < closest:
            closest = attempt.suboptimality
            closer.append((attempt.time, max(closest, FLOOR)))
    return np.array(closer).reshape(-1, 2).T


def _descent(result):
    """Ours: the iterations of the tightest attempt that was needed, or the ladder where there are none (a grid search)."""
    outcome = result.ours
    trace = next((attempt.trace for attempt in reversed(outcome.attempts) if attempt.trace), None)
    if trace is None:
        return _ladder(outcome)
    seconds, values = np.array(trace).T
    return np.maximum(seconds, 1e-5), np.maximum(values / result.best[0] - 1, FLOOR)
