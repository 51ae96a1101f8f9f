"""Pictures of the main job: how fast each solver comes down, and what One-vs-Rest learned."""

import numpy as np


def require_matplotlib():
    """Import matplotlib, or say how to get it."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'sklearn-xent[plot]'") from error
    matplotlib.use("Agg")


def draw(rows, data, path):
    """Draw convergence (objective minus optimum against passes) and One-vs-Rest weights into a file.

    Parameters
    ----------
    rows : list of Row
        The table of the main job.
    data : str
        Name of the data set, for the title.
    path : str
        Where to write; the ending chooses the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[3, 2])
    figure.suptitle(f"{data}: cross-entropy by every solver")
    groups = list(dict.fromkeys((row.task, row.penalty) for row in rows))
    for axes, (task, penalty) in zip(upper.subplots(1, len(groups), sharey=True), groups, strict=True):
        _convergence(axes, [row for row in rows if (row.task, row.penalty) == (task, penalty)])
        axes.set_title(f"{task}, {penalty}")
    upper.axes[0].set_ylabel("objective - optimum")
    upper.axes[0].legend(fontsize="small", loc="lower left")
    _weights(lower, next(row.classifier for row in rows if row.name == "auto"))
    figure.savefig(path)


def _convergence(axes, rows):
    optimum = min(row.objective for row in rows)
    for row in rows:
        if row.history is not None:
            excess = np.maximum(np.array(row.history["objective"]) - optimum, 1e-16)
            axes.loglog(np.maximum(row.history["passes"], 0.5), excess, label=row.name)
    axes.set_xlabel("passes over the data")


def _weights(figure, classifier):
    """Show one picture a class: an image where the features are a square of pixels, bars elsewhere."""
    side = int(np.sqrt(classifier.n_features_in_))
    square = side * side == classifier.n_features_in_ and side > 2
    limit = np.max(np.abs(classifier.coef_))
    grid = figure.subplots(1, len(classifier.coef_), squeeze=False)[0]
    for axes, label, weights in zip(grid, classifier.classes_[-len(grid) :], classifier.coef_, strict=True):
        if square:
            axes.imshow(weights.reshape(side, side), cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            axes.bar(range(len(weights)), weights)
        axes.set_title(f"{label}")
        axes.set_xticks([])
        axes.set_yticks([])
