"""Pictures in scikit-learn's Display convention (extra `plot`): coefficients, convergence, risk against coverage.

Colours are Okabe & Ito's, which the colour-blind tell apart; where there are more lines than colours, dashes and markers do.
Positive and negative weights are blue and orange.
"""

from collections import Counter

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_xent._checks import check_integer, check_option
from sklearn_xent._rejection import risk_coverage_curve

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

DASHES, MARKERS = ("-", "--", ":", "-."), ("o", "s", "^", "D")  # one each time the colours begin anew
TALLEST = 20  # inches of a figure
MOST_MARKERS = 60  # points of a line that are marked each


def _pyplot():
    """Import matplotlib, or say how to get it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("Displays need matplotlib: pip install 'sklearn-xent[plot]'") from error
    return pyplot


def _axes(ax):
    """Return the axes given, or those of a new figure."""
    return _pyplot().subplots(layout="constrained")[1] if ax is None else ax


def _look(k, cues):
    """Return the colour of the line of number k, and which of the cues tells it from others of that colour."""
    turn, colour = divmod(k, len(COLOURS))
    return COLOURS[colour], cues[turn % len(cues)]


def _log_ticks(ax):
    """Give the logarithmic x axis a handful of labels, whether it spans a hundredth of a decade or a hundred decades."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    low, high = ax.get_xlim()
    decades = np.log10(high) - np.log10(low)
    many = LogLocator(numticks=6) if decades > 2.5 else LogLocator(subs=(1, 2, 5), numticks=12)
    ax.xaxis.set_major_locator(MaxNLocator(5) if decades < 1 else many)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def _line_style(kwargs):
    """Return the keywords of a line under their full names: `c` is `color`."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(kwargs, Line2D)


class RiskCoverageDisplay:
    """Error rate of the accepted cases against their share.

    Parameters
    ----------
    coverage, risk : ndarray of shape (n_thresholds,)
        As from `risk_coverage_curve`.
    name : str, optional
        For the legend.

    Attributes
    ----------
    line_, ax_, figure_
        What was drawn, after `plot`.
    """

    def __init__(self, *, coverage, risk, name=None):
        self.coverage, self.risk, self.name = coverage, risk, name

    @classmethod
    def from_predictions(cls, y_true, y_proba, *, classes=None, sample_weight=None, name=None, ax=None, **kwargs):
        """Draw the curve of probabilities; see `risk_coverage_curve` for the arguments, `kwargs` are the line's."""
        coverage, risk, _ = risk_coverage_curve(y_true, y_proba, classes=classes, sample_weight=sample_weight)
        return cls(coverage=coverage, risk=risk, name=name).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, sample_weight=None, name=None, ax=None, **kwargs):
        """Draw the curve of a fitted classifier on data that it has not seen."""
        check_is_fitted(estimator)
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            classes=estimator.classes_,
            sample_weight=sample_weight,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    def plot(self, ax=None, *, name=None, **kwargs):
        """Draw; `kwargs` are the line's. Returns the display."""
        self.ax_ = _axes(ax)
        self.figure_, name = self.ax_.figure, self.name if name is None else name
        colour, dash = _look(len(self.ax_.lines), DASHES)
        style = {"drawstyle": "steps-pre", "color": colour, "linestyle": dash, "label": name}
        style |= _line_style(kwargs)
        (self.line_,) = self.ax_.plot(self.coverage, self.risk, **style)
        self.ax_.set(xlabel="coverage: share of the cases accepted", ylabel="risk: error rate of the accepted", xlim=(0, 1.01))
        self.ax_.set_ylim(0, 1.05 * max([1e-3, *(np.max(line.get_ydata()) for line in self.ax_.lines)]))
        if style["label"] is not None:
            self.ax_.legend(loc="upper left")
        return self


class ConvergenceDisplay:
    """How far fits were from their optimum, against passes over the data or seconds.

    Parameters
    ----------
    histories : dict
        ``history_`` by name.
    """

    def __init__(self, *, histories):
        self.histories = histories

    @classmethod
    def from_estimators(cls, estimators, *, against="passes", quantity="gap", ax=None, **kwargs):
        """Draw the histories of fitted classifiers.

        Parameters
        ----------
        estimators : fitted CrossEntropyClassifier, or dict or list of them
            By name, or named by their solvers.
        against : {"passes", "seconds"}, default="passes"
        quantity : {"gap", "objective"}, default="gap"
            The certified gap, or the objective less the least that any of the fits reached.
        ax : matplotlib Axes, optional
        **kwargs
            Of the lines.
        """
        if hasattr(estimators, "history_"):
            estimators = [estimators]
        named = estimators if isinstance(estimators, dict) else _named(estimators)
        display = cls(histories={name: fit.history_ for name, fit in named.items()})
        return display.plot(against=against, quantity=quantity, ax=ax, **kwargs)

    def plot(self, ax=None, *, against="passes", quantity="gap", **kwargs):
        """Draw; see `from_estimators`. Returns the display."""
        if against not in ("passes", "seconds") or quantity not in ("gap", "objective"):
            raise ValueError(
                f"against must be 'passes' or 'seconds' and quantity 'gap' or 'objective'; got {against!r}, {quantity!r}."
            )
        self.ax_, self.lines_ = _axes(ax), []
        self.figure_ = self.ax_.figure
        least = min(min(history["objective"]) for history in self.histories.values())
        for k, (name, history) in enumerate(self.histories.items()):
            values = np.array(history[quantity]) - (least if quantity == "objective" else 0)
            (colour, dash), marker = _look(k, DASHES), "o" if len(values) <= MOST_MARKERS else ""
            style = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 3, "label": name}
            style |= _line_style(kwargs)
            shown = np.maximum(values, 1e-16)  # zero has no logarithm
            self.lines_ += self.ax_.plot(history[against], shown, **style)
        what = "certified gap" if quantity == "gap" else "objective above the least reached"
        self.ax_.set(yscale="log", xlabel="passes over the data" if against == "passes" else "seconds", ylabel=what)
        self.ax_.legend()
        return self


def _named(fits):
    """Fits by their solvers, numbered where a solver comes again."""
    named, times = {}, Counter()
    for fit in fits:
        times[fit.solver_] += 1
        named[fit.solver_ if times[fit.solver_] == 1 else f"{fit.solver_} ({times[fit.solver_]})"] = fit
    return named


class CoefficientDisplay:
    """Coefficients: a forest plot of odds ratios with intervals, or images of weights.

    Parameters
    ----------
    outputs, names : list of str
        What the rows of coefficients are about, and the columns.
    coefficients : ndarray of shape (n_outputs, n_features)
    lower, upper : ndarray of shape (n_outputs, n_features), optional
        Intervals.
    """

    def __init__(self, *, outputs, names, coefficients, lower=None, upper=None):
        self.outputs, self.names, self.coefficients, self.lower, self.upper = outputs, names, coefficients, lower, upper

    @classmethod
    def from_inference(cls, inference, *, level=0.95, **kwargs):
        """Draw the odds ratios of an `Inference` with their intervals; `kwargs` as of `plot`."""
        start, values = inference.names_[0] == "(intercept)", inference.table(level).values
        part = values[:, int(start) :]
        display = cls(
            outputs=inference.outputs_,
            names=inference.names_[int(start) :],
            coefficients=part[..., 0],
            lower=part[..., 4],
            upper=part[..., 5],
        )
        return display.plot(**kwargs)

    @classmethod
    def from_estimator(cls, estimator, *, image_shape=None, **kwargs):
        """Draw the coefficients of a fitted classifier; with `image_shape`, an image a class."""
        check_is_fitted(estimator)
        if image_shape is not None and "ax" in kwargs:
            kwargs["axes"] = kwargs.pop("ax")
        names = getattr(estimator, "feature_names_in_", [f"x{j}" for j in range(estimator.n_features_in_)])
        labels = [str(label) for label in estimator.classes_[-len(estimator.intercept_) :]]
        display = cls(outputs=labels, names=[str(name) for name in names], coefficients=estimator._dense_coef())
        return display.images(image_shape, **kwargs) if image_shape is not None else display.plot(**kwargs)

    def plot(self, ax=None, *, n_features=20, output=None):
        """Draw a forest plot of odds ratios: the features of the largest coefficients, the largest on top.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        n_features : int, default=20
            How many features at most.
        output : str, optional
            One of `outputs`; all if not given.

        Returns
        -------
        CoefficientDisplay
        """
        check_integer("n_features", n_features, 1)
        if output is not None:
            check_option("output", output, self.outputs)
        self.ax_ = _axes(ax)
        self.figure_ = self.ax_.figure
        rows = list(range(len(self.outputs))) if output is None else [self.outputs.index(output)]
        order = np.argsort(np.abs(self.coefficients[rows]).max(axis=0), kind="stable")[-n_features:]
        places = np.arange(len(order))
        if ax is None:
            self.figure_.set_size_inches(6.4, min(1.6 + 0.22 * len(order) * max(1, 0.6 * len(rows)), TALLEST))
        for i, k in enumerate(rows):
            shift = 0.6 * ((i + 0.5) / len(rows) - 0.5)
            odds, error, (colour, marker) = _odds(self.coefficients[k, order]), None, _look(i, MARKERS)
            if self.lower is not None:
                error = np.abs(_odds([self.lower[k, order], self.upper[k, order]]) - odds)
            style = {"fmt": marker, "markersize": 4, "capsize": 2, "color": colour, "label": self.outputs[k]}
            self.ax_.errorbar(odds, places - shift, xerr=error, **style)
        self.ax_.set_ylim(-0.6, len(order) - 0.4)
        self.ax_.axvline(1, color="0.6", linewidth=1, zorder=0)
        self.ax_.set(xscale="log", yticks=places, yticklabels=[self.names[j] for j in order], xlabel="odds ratio")
        _log_ticks(self.ax_)
        columns = min(len(rows), 2 if max(map(len, self.outputs)) > 15 else 5)
        self.ax_.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, fontsize="small")
        return self

    def images(self, image_shape, axes=None, *, n_columns=5):
        """Draw the coefficients of each output as an image, blue where they speak for it and orange where against.

        Parameters
        ----------
        image_shape : tuple of int
            Rows and columns of pixels.
        axes : sequence of matplotlib Axes, optional
            One an output.
        n_columns : int, default=5
            Images side by side.

        Returns
        -------
        CoefficientDisplay
        """
        if np.prod(image_shape) != self.coefficients.shape[1]:
            raise ValueError(f"image_shape={image_shape} has not the {self.coefficients.shape[1]} pixels of the coefficients.")
        pyplot = _pyplot()
        from matplotlib.colors import LinearSegmentedColormap

        n_outputs, colours = len(self.outputs), LinearSegmentedColormap.from_list("weights", [COLOURS[1], "white", COLOURS[0]])
        if axes is None:
            n_columns = min(n_columns, n_outputs)
            n_rows = -(-n_outputs // n_columns)
            _, grid = pyplot.subplots(
                n_rows, n_columns, figsize=(1.5 * n_columns + 0.8, 1.7 * n_rows), layout="constrained", squeeze=False
            )
            axes = grid.ravel()
        self.axes_ = np.ravel(axes)
        if len(self.axes_) < n_outputs:
            raise ValueError(f"axes must be one for each of {n_outputs} outputs; there are {len(self.axes_)}.")
        self.figure_ = self.axes_[0].figure
        most = np.abs(self.coefficients).max()
        for ax, output, weights in zip(self.axes_, self.outputs, self.coefficients, strict=False):
            image = ax.imshow(weights.reshape(image_shape), cmap=colours, vmin=-most, vmax=most)
            ax.set(title=output, xticks=[], yticks=[])
        for ax in self.axes_[n_outputs:]:
            ax.set_visible(False)
        self.figure_.colorbar(image, ax=list(self.axes_[:n_outputs]), label="coefficient", shrink=0.8)
        return self


def _odds(log_odds):
    """Odds that a logarithmic axis can show."""
    return np.exp(np.clip(log_odds, -300, 300))
