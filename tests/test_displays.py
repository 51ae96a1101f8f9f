"""Pictures: they show the numbers, and nothing is cut off."""

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
