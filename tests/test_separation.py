"""Separated classes are found, named and warned of; overlapping ones raise no alarm."""

import warnings

import numpy as np
import pytest
import reference
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris

from sklearn_xent import CrossEntropyClassifier, SeparationWarning, _separation, find_separation
from sklearn_xent._separation import SUSPICIOUS

TRUTHS = ("complete", "quasi-complete", "overlap")


def made(truth, n_classes, seed):
    """Data of which the truth is known by construction; small integers, so that borders are exact."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(40, 120)), int(rng.integers(2, 6))
    X = rng.integers(-5, 6, (n, p)).astype(float)
    first = X[:, 0]
    if truth == "overlap":  # the same spanning set of rows occurs in every class
        span = np.vstack([np.zeros(p), np.eye(p), -np.eye(p)])
        X = np.vstack([X] + [span] * n_classes)
        y = np.concatenate([rng.integers(0, n_classes, n), np.repeat(np.arange(n_classes), len(span))])
        return X, y
    y = np.digitize(first, [-1.5, 1.5][: n_classes - 1])
    X, y = np.vstack([X, np.eye(p)[0] * np.array([[-4.0], [0.0], [4.0]])]), np.append(y, [0, 1, n_classes - 1])
    if truth == "quasi-complete":  # on the borders themselves all classes beside them occur, and span them
        spans = [np.vstack([np.zeros(p), np.eye(p)[1:], -np.eye(p)[1:]]) + edge * np.eye(p)[0] for edge in (-1.5, 1.5)]
        for k, span in enumerate(spans[: n_classes - 1]):
            X = np.vstack([X, span, span])
            y = np.append(y, np.repeat([k, k + 1], len(span)))
    return X, y


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("truth", TRUTHS)
def test_truth_known_by_construction(truth, n_classes, multi_class):
    for seed in range(40):
        X, y = made(truth, n_classes, seed)
        found = find_separation(X, y, multi_class=multi_class)
        if truth == "overlap":
            assert found is None
            continue
        if multi_class == "multinomial" or n_classes == 2:
            assert found.kind == truth, seed
            assert 0 in found.features
            assert truth == "complete" or found.features == [0]
        check(found, X, y, multi_class == "multinomial" and n_classes > 2)


def check(found, X, y, multinomial):
    """The direction separates what it says it does."""
    scores = X @ found.direction.T + found.intercept
    if multinomial:
        margins = (scores[np.arange(len(y)), y][:, None] - scores)[np.arange(scores.shape[1]) != y[:, None]]
    elif scores.shape[1] == 1:
        margins = scores[:, 0] * np.where(y == 1, 1, -1)
    else:
        separated = np.any(found.direction != 0, axis=1)
        margins = (scores * np.where(y[:, None] == np.arange(scores.shape[1]), 1, -1))[:, separated].ravel()
    assert margins.min() >= (0.5 if found.kind == "complete" and multinomial else -1e-8)
    assert margins.max() > 0.5


def test_textbook_sets():
    X, y = load_iris(return_X_y=True)
    assert find_separation(X[:100], y[:100]).kind == "complete"  # setosa against versicolor
    assert find_separation(X[50:], y[50:]) is None
    ovr = find_separation(X, y)
    assert ovr.kind == "complete"
    assert np.flatnonzero(np.any(ovr.direction != 0, axis=1)).tolist() == [0]
    assert find_separation(X, y, multi_class="multinomial").kind == "quasi-complete"  # setosa against two that overlap
    X, y = load_breast_cancer(return_X_y=True)
    assert find_separation(X, y).kind == "complete"


def test_textbook_sets_of_statsmodels():
    datasets = pytest.importorskip("statsmodels.datasets")
    spector = datasets.spector.load()
    assert find_separation(spector.exog, spector.endog) is None
    fair = datasets.fair.load()
    assert find_separation(fair.exog, fair.endog > 0) is None


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_rows_without_weight_do_not_count(container):
    X, y = made("complete", 2, 0)
    X, y = np.vstack([X, X]), np.concatenate([y, 1 - y])
    weights = np.repeat([1.0, 0.0], len(y) // 2)
    assert find_separation(container(X), y) is None
    assert find_separation(container(X), y, weights).kind == "complete"


def test_scale_and_offset_change_nothing():
    for truth in TRUTHS:
        X, y = made(truth, 3, 1)
        found = find_separation(X * 2.0**-40 * 2.0 ** np.arange(X.shape[1]) ** 3 + 1e-6, y, multi_class="multinomial")
        assert (found.kind if found else "overlap") == truth


@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("truth", ["complete", "quasi-complete"])
def test_a_fit_says_so_and_names_the_columns(truth, solver):
    pd = pytest.importorskip("pandas")
    X, y = made(truth, 2, 3)
    X = pd.DataFrame(X, columns=["dose", *(f"x{j}" for j in range(1, X.shape[1]))])
    with pytest.warns(SeparationWarning, match="'dose'"):
        fit = CrossEntropyClassifier(C=np.inf, solver=solver, max_iter=100).fit(X, y)
    assert fit.status_ == "separated"
    assert fit.separation_.kind == truth
    assert np.all(np.isfinite(fit.coef_))
    assert fit.score(X, y) > 0.6


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("tol", [1e-4, 1e-8, 1e-13])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_looks_wherever_there_is_something_to_find(tol, n_classes, multi_class):
    """Whatever makes a fit end, rounding included: no miss, no false alarm."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        mixed, labels, _ = reference.make_problem(n_classes, 200, 4, seed)
        tells = (labels == n_classes - 1) & (rng.random(200) < 0.5)  # a column that only the last class has
        cases = [made(truth, n_classes, seed) for truth in TRUTHS]
        for X, y in [*cases, (np.column_stack([mixed, tells]), labels)]:
            fit = CrossEntropyClassifier(C=np.inf, multi_class=multi_class, tol=tol).fit(X, y)
            assert (fit.status_ == "separated") == (find_separation(X, y, multi_class=multi_class) is not None), seed


def without_programs(monkeypatch):
    def linprog(*_, **__):
        raise AssertionError("no linear program is needed here")

    monkeypatch.setattr(_separation, "linprog", linprog)


@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "multinomial")])
def test_large_separated_data_are_told_by_the_fit_itself(n_classes, multi_class, monkeypatch):
    """There linear programs take minutes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_200, 210 // (n_classes - 1)))
    y = (X @ rng.standard_normal((X.shape[1], n_classes))).argmax(axis=1)
    without_programs(monkeypatch)
    with pytest.warns(SeparationWarning):
        fit = CrossEntropyClassifier(C=np.inf, multi_class=multi_class).fit(X, y)
    assert fit.separation_.kind == "complete"
    check(fit.separation_, X, y, multi_class == "multinomial")


def test_large_scores_with_a_proven_optimum_need_no_program(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2_000, 20))
    y = (X.sum(axis=1) * 20 + rng.logistic(size=2_000) > 0).astype(int)
    without_programs(monkeypatch)
    fit = CrossEntropyClassifier(C=np.inf).fit(X, y)
    assert fit.status_ == "converged"
    assert np.abs(fit.decision_function(X)).max() > 2 * SUSPICIOUS


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@pytest.mark.parametrize("n_samples", [3_000, 100_000])
def test_a_rare_event_that_some_class_never_has(n_samples, multi_class):
    """Three rows of all separate; the mean margin is a hundred-thousandth of theirs."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n_samples, 3)), np.zeros(n_samples)])
    y = (X[:, :3] @ rng.standard_normal((3, 4)) + rng.gumbel(size=(n_samples, 4))).argmax(axis=1)
    rare = [10, n_samples // 2, n_samples - 7]
    X[rare, 3], y[rare] = 1.0, [1, 3, 3]
    found = find_separation(X, y, multi_class=multi_class)
    assert found.kind == "quasi-complete"
    assert found.features == [3]
    with pytest.warns(SeparationWarning):
        assert CrossEntropyClassifier(C=np.inf, multi_class=multi_class).fit(X, y).separation_.features == [3]
    y[rare] = [0, 1, 2]  # class 3 never has it, the others do: softmax is separated still, and each task of theirs is not
    assert find_separation(X, y, multi_class=multi_class).features == [3]
    X, y = np.vstack([X, X[rare[0]]]), np.append(y, 3)
    assert find_separation(X, y, multi_class=multi_class) is None


def test_a_row_on_the_border_of_the_first_rows_is_looked_at():
    """A program of some rows has it on the border, one of all rows finds room for it."""
    X, y = np.repeat([[-1.0], [1.0]], 2_500, axis=0), np.repeat([0, 1], 2_500)
    X[2_504] = 0.0
    found = find_separation(X, y)
    assert found.kind == "complete"
    check(found, X, y, False)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_constant_columns_separate_nothing(n_classes, multi_class, fit_intercept):
    X, y = np.zeros((6, 2)), np.arange(6) % n_classes
    fit = CrossEntropyClassifier(C=np.inf, multi_class=multi_class, fit_intercept=fit_intercept).fit(X, y)
    assert fit.status_ == "converged"
    assert not fit.coef_.any()


def test_no_alarm_without_need():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X, y = made("overlap", 2, 0)
        fit = CrossEntropyClassifier(C=np.inf).fit(X, y)
        assert fit.status_ == "converged"
        assert fit.separation_ is None
        X, y = made("complete", 2, 0)
        assert CrossEntropyClassifier(C=1e3).fit(X, y).separation_ is None
