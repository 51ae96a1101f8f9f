"""Pictures: they show the numbers, and nothing is cut off."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
import reference
from matplotlib import pyplot
from sklearn.datasets import load_breast_cancer, load_digits

from sklearn_xent import CrossEntropyClassifier, risk_coverage_curve
from sklearn_xent.displays import CoefficientDisplay, ConvergenceDisplay, RiskCoverageDisplay
from sklearn_xent.inference import Inference

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def nothing_is_cut_off(figure):
    figure.canvas.draw()
    box, page = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= page[0] + 0.01
    assert box.y1 <= page[1] + 0.01


def test_risk_against_coverage():
    X, y, _ = reference.make_problem(3, 200, 4)
    fit = CrossEntropyClassifier().fit(X, y)
    display = RiskCoverageDisplay.from_estimator(fit, X, y)
    coverage, risk, _ = risk_coverage_curve(y, fit.predict_proba(X))
    np.testing.assert_array_equal(display.line_.get_xdata(), coverage)
    np.testing.assert_array_equal(display.line_.get_ydata(), risk)
    assert display.ax_.get_legend().get_texts()[0].get_text() == "CrossEntropyClassifier"
    again = RiskCoverageDisplay.from_predictions(y, fit.predict_proba(X), name="again", ax=display.ax_, linestyle="--")
    assert again.ax_ is display.ax_
    assert again.line_.get_color() != display.line_.get_color()
    nothing_is_cut_off(display.figure_)


@pytest.mark.parametrize("against", ["passes", "seconds"])
@pytest.mark.parametrize("quantity", ["gap", "objective"])
def test_convergence(quantity, against):
    X, y, _ = reference.make_problem(3, 200, 4)
    fits = [CrossEntropyClassifier(solver=solver).fit(X, y) for solver in ("newton", "lbfgs", "bfgs")]
    display = ConvergenceDisplay.from_estimators(fits, against=against, quantity=quantity)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["newton", "lbfgs", "bfgs"]
    for fit, line in zip(fits, display.lines_, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), fit.history_[against])
    if quantity == "gap":
        np.testing.assert_array_equal(display.lines_[0].get_ydata(), np.maximum(fits[0].history_["gap"], 1e-16))
    nothing_is_cut_off(display.figure_)
    again = ConvergenceDisplay.from_estimators(fits[:1] * 3, c="k")
    assert [line.get_label() for line in again.lines_] == ["newton", "newton (2)", "newton (3)"]
    with pytest.raises(ValueError, match="against must be"):
        display.plot(against="iterations")


def test_forest_of_odds_ratios():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X[["mean radius", "mean texture", "mean smoothness"]]
    inference = Inference(CrossEntropyClassifier(C=np.inf).fit(X, y), X, y)
    display = CoefficientDisplay.from_inference(inference, level=0.9)
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    order = [inference.names_.index(name) for name in names]
    assert sorted(names) == sorted(X.columns)
    frame = inference.table(0.9).to_frame()
    (container,) = display.ax_.containers
    np.testing.assert_allclose(container.lines[0].get_xdata(), frame["odds ratio"].to_numpy()[order])
    ends = np.array([segment[:, 0] for segment in container.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends, frame[["odds lower", "odds upper"]].to_numpy()[order], rtol=1e-9, atol=1e-15)
    nothing_is_cut_off(display.figure_)


def test_images_of_digit_weights():
    X, y = load_digits(return_X_y=True)
    fit = CrossEntropyClassifier(C=1e-3).fit(X, y)
    display = CoefficientDisplay.from_estimator(fit, image_shape=(8, 8))
    for k, ax in enumerate(display.axes_):
        assert ax.get_title() == str(k)
        np.testing.assert_array_equal(ax.images[0].get_array(), fit.coef_[k].reshape(8, 8))
    nothing_is_cut_off(display.figure_)
    with pytest.raises(ValueError, match="pixels"):
        CoefficientDisplay.from_estimator(fit, image_shape=(7, 8))
    assert len(CoefficientDisplay.from_estimator(fit, n_features=5).ax_.get_yticks()) == 5
    CoefficientDisplay.from_estimator(fit, image_shape=(8, 8), axes=pyplot.subplots(2, 5)[1])
    with pytest.raises(ValueError, match="output must be"):
        CoefficientDisplay.from_estimator(fit, output="ten")
    with pytest.raises(ValueError, match="n_features must be"):
        CoefficientDisplay.from_estimator(fit, n_features=0)
    with pytest.raises(ValueError, match="one for each of 10"):
        CoefficientDisplay.from_estimator(fit, image_shape=(8, 8), axes=pyplot.subplots(1, 3)[1])
    two = CrossEntropyClassifier().fit(X[y < 2], y[y < 2])
    ax = pyplot.subplots()[1]
    assert CoefficientDisplay.from_estimator(two, image_shape=(8, 8), ax=ax).axes_[0] is ax


def test_a_worse_curve_is_not_cut_off():
    ax = pyplot.subplots()[1]
    for worst in (0.05, 1.0, 0.2):
        RiskCoverageDisplay(coverage=np.array([0.5, 1.0]), risk=np.array([0.01, worst])).plot(ax=ax)
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 1


@pytest.mark.parametrize("span", [1e-3, 0.3, 3.0, 30.0, 300.0, 3000.0])
def test_odds_ratios_of_any_span_have_a_few_labels(span):
    coefficients = np.array([[-span, span / 2]])
    ends = {"lower": coefficients - span / 10, "upper": coefficients + span / 10}
    display = CoefficientDisplay(outputs=["one"], names=["a", "b"], coefficients=coefficients, **ends).plot()
    display.figure_.canvas.draw()
    low, high = display.ax_.get_xlim()
    boxes = [
        label.get_window_extent()
        for label, place in zip(display.ax_.get_xticklabels(), display.ax_.get_xticks(), strict=True)
        if low <= place <= high and label.get_text()
    ]
    assert 2 <= len(boxes) <= 12
    assert all(right.x0 > left.x1 for left, right in pairwise(boxes))
    nothing_is_cut_off(display.figure_)


def test_more_lines_than_colours_differ_by_dashes_or_markers():
    X, y = load_digits(return_X_y=True)
    fit = CrossEntropyClassifier(C=1e-3).fit(X, y)
    display = ConvergenceDisplay.from_estimators({str(k): fit for k in range(8)})
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 8
    assert len(ConvergenceDisplay.from_estimators(fit).lines_) == 1
    points = [container.lines[0] for container in CoefficientDisplay.from_estimator(fit, n_features=2).ax_.containers]
    assert len({(line.get_color(), line.get_marker()) for line in points}) == 10
