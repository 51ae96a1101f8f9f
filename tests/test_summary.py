"""The summary says what was fitted, and nothing else."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import reference

from sklearn_xent import CrossEntropyClassifier


def fitted(n_classes=2, **params):
    X, y, weights = reference.make_problem(n_classes, 120, 4)
    return CrossEntropyClassifier(**params).fit(pd.DataFrame(X, columns=["age", "dose", "a < b", "site"]), y, weights), weights


def facts(summary):
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in str(summary).splitlines()[2:11])


@pytest.mark.parametrize(("l1_ratio", "name"), [(0.0, "ridge"), (1.0, "lasso"), (0.25, "elastic net, l1_ratio = 0.25")])
def test_the_penalty_is_told_in_both_notations(l1_ratio, name):
    fit, weights = fitted(C=0.5, l1_ratio=l1_ratio)
    said = facts(fit.summary())["penalty"]
    assert said.startswith(f"{name}, C = 0.5, ")
    strength = float(re.search(r"lambda = 1 / \(C S\) = (\S+)", said)[1])
    assert strength == pytest.approx(1 / (0.5 * weights.sum()), rel=1e-3)
    assert facts(fitted(C=np.inf)[0].summary())["penalty"] == "none (C = inf, lambda = 0)"


def test_solver_passes_status_and_gap_are_those_of_the_fit():
    fit, _ = fitted(solver="newton", tol=1e-6)
    said = facts(fit.summary())
    assert said["solver"] == f"newton, {fit.n_iter_[0]} iterations, {fit.n_passes_:.1f} passes over the data"
    assert said["status"] == "converged"
    gap, target = (
        float(number) for number in re.search(r"(\S+), where tol = 1e-06 asks for (\S+)", said["optimality gap"]).groups()
    )
    assert gap == pytest.approx(fit.optimality_gap_, rel=0.05)
    assert gap <= target
    fit.set_params(C=77.0, tol=1.0)  # what was fitted stays what it was
    assert facts(fit.summary()) == said


@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_the_largest_coefficients_come_first_with_their_odds_ratios(n_classes, multi_class):
    fit, _ = fitted(n_classes, multi_class=multi_class)
    summary = fit.summary(n_coefficients=3)
    found = [float(row[-2]) for row in summary.rows]
    largest = sorted(fit.coef_.ravel().tolist(), key=abs, reverse=True)[:3]
    np.testing.assert_allclose(found, largest, rtol=1e-3)
    np.testing.assert_allclose([float(row[-1]) for row in summary.rows], np.exp(largest), rtol=1e-3)
    names = fit.feature_names_in_.tolist()
    for row, value in zip(summary.rows, largest, strict=True):
        k = fit.classes_.astype(str).tolist().index(row[0]) if n_classes > 2 else 0
        assert fit.coef_[k, names.index(row[-3])] == value
    assert fit.summary(n_coefficients=0).rows == []
    with pytest.raises(ValueError, match="n_coefficients"):
        fit.summary(n_coefficients=-1)


def test_class_weights_are_the_factors_that_were_used():
    X, y, _ = reference.make_problem(3, 200, 4)
    counts = np.bincount(y)
    multinomial = CrossEntropyClassifier(multi_class="multinomial", class_weight="balanced").fit(X, y)
    expected = ", ".join(f"{k}: {200 / 3 / count:.4g}" for k, count in enumerate(counts))
    assert facts(multinomial.summary())["class weights"] == expected
    tasks = CrossEntropyClassifier(class_weight="balanced").fit(X, y)
    expected = ", ".join(f"{k}: {100 / n:.4g} (its rest: {100 / (200 - n):.4g})" for k, n in enumerate(counts))
    assert facts(tasks.summary())["class weights"] == expected
    given = CrossEntropyClassifier(class_weight={0: 2.5, 7: 3.0}).fit(X, y)
    assert facts(given.summary())["class weights"] == "0: 2.5, 1: 1, 2: 1"
    assert facts(CrossEntropyClassifier().fit(X, y).summary())["class weights"] == "all 1"


def test_the_page_says_what_the_text_says_and_escapes_names():
    summary = fitted()[0].summary()
    page = ElementTree.fromstring(summary._repr_html_())
    cells = ["".join(cell.itertext()) for cell in page.iter("td")]
    assert cells == [*summary.facts.values(), *(cell for row in summary.rows for cell in row)]
    assert "a < b" in cells
    for cell in cells:
        assert cell in str(summary)


def test_a_separated_fit_names_what_separates():
    X = np.array([[-2.0, 0.3], [-1.0, -0.2], [1.0, 0.1], [2.0, -0.4]])
    with pytest.warns(match="separate"):
        fit = CrossEntropyClassifier(C=np.inf).fit(X, [0, 0, 1, 1])
    assert facts(fit.summary())["status"].startswith("separated: ")
