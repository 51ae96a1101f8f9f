"""The same optimum as scikit-learn's own classes, and as a published table."""

import numpy as np
import pytest
import reference
import sklearn
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from sklearn_xent import CrossEntropyClassifier

EXACT = {"tol": 1e-14}
OLD_SKLEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 8)
WEIGHTS = {"plain": {}, "balanced": {"class_weight": "balanced"}, "dict": {"class_weight": {0: 2.0, 1: 0.5}}}


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.max(np.abs(expected)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", [{}, {"C": 100.0}, {"l1_ratio": 1.0}, {"l1_ratio": 0.3}], ids=str)
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_ovr_equals_one_vs_rest_over_the_binary_classifier(n_classes, class_weight, penalty, fit_intercept, weighted):
    X, y, weights = reference.make_problem(n_classes, n_samples=90)
    binary = CrossEntropyClassifier(class_weight=class_weight, fit_intercept=fit_intercept, **EXACT, **penalty)
    arguments = {"sample_weight": weights} if weighted else {}
    if weighted:
        with sklearn.config_context(enable_metadata_routing=True):
            binary.set_fit_request(sample_weight=True)
            rest = OneVsRestClassifier(binary).fit(X, y, **arguments)
    else:
        rest = OneVsRestClassifier(binary).fit(X, y)
    ours = CrossEntropyClassifier(**binary.get_params()).fit(X, y, **arguments)
    assert len(ours.estimators_) == len(rest.estimators_)
    for k, (one, other) in enumerate(zip(ours.estimators_, rest.estimators_, strict=True)):
        close(ours.coef_[k], other.coef_[0])
        close(ours.intercept_[k], other.intercept_[0])
        np.testing.assert_array_equal(one.coef_[0], ours.coef_[k])
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), rest.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", WEIGHTS)
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_multinomial_equals_newton_cholesky(n_classes, C, class_weight, weighted, container):
    if weighted and class_weight == "balanced" and OLD_SKLEARN:
        pytest.skip("LogisticRegression balanced without looking at sample weights")
    X, y, weights = reference.make_problem(n_classes, n_samples=200)
    weights = weights if weighted else None
    params = {"C": C, **WEIGHTS[class_weight]}
    theirs = LogisticRegression(solver="newton-cholesky", tol=1e-12, **params).fit(container(X), y, weights)
    ours = CrossEntropyClassifier(multi_class="multinomial", **EXACT, **params).fit(container(X), y, weights)
    if np.inf == C and n_classes > 2:  # defined up to a shift over the classes
        theirs.coef_ -= theirs.coef_.mean(axis=0)
        theirs.intercept_ -= theirs.intercept_.mean()
    close(ours.coef_, theirs.coef_)
    close(ours.intercept_, theirs.intercept_)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=1e-5, atol=1e-5)
    assert ours.score(X, y, weights) == theirs.score(X, y, weights)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_elastic_net_equals_saga(n_classes, l1_ratio):
    X, y, weights = reference.make_problem(n_classes, n_samples=200)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    named = {"penalty": "elasticnet"} if OLD_SKLEARN else {}
    saga = LogisticRegression(solver="saga", l1_ratio=l1_ratio, C=0.3, tol=1e-10, max_iter=100_000, random_state=0, **named)
    saga.fit(X, y, weights)
    ours = CrossEntropyClassifier(l1_ratio=l1_ratio, C=0.3, multi_class="multinomial", **EXACT).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, saga.coef_, atol=1e-5)


@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg", "bfgs", "lbfgs"])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_weight_is_repetition(solver, multi_class, l1_ratio):
    X, y, _ = reference.make_problem(3, n_samples=50)
    times = np.random.default_rng(0).integers(0, 4, 50)
    times[:3] = 1
    estimator = CrossEntropyClassifier(solver=solver, multi_class=multi_class, l1_ratio=l1_ratio, class_weight="balanced")
    estimator.set_params(tol=1e-12)
    weighted = estimator.fit(X, y, times).coef_.copy()
    repeated = estimator.fit(np.repeat(X, times, axis=0), np.repeat(y, times)).coef_
    np.testing.assert_allclose(weighted, repeated, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg", "bfgs", "lbfgs"])
def test_greene_table_of_the_spector_data(solver):
    """Greene (2003), Econometric Analysis, 5th edition, table 21.1, logistic: grade on GPA, TUCE and PSI."""
    spector = pytest.importorskip("statsmodels.api").datasets.spector.load_pandas()
    fit = CrossEntropyClassifier(C=np.inf, solver=solver, tol=1e-12).fit(spector.exog, spector.endog)
    assert list(fit.feature_names_in_) == ["GPA", "TUCE", "PSI"]
    np.testing.assert_allclose(fit.coef_, [[2.82611, 0.0951577, 2.37869]], rtol=2e-6)
    np.testing.assert_allclose(fit.intercept_, [-13.02135], rtol=2e-6)
