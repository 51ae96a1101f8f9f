"""Probabilities of the population, from fits to another: identities, calibration, decisions."""

import numpy as np
import pytest
import reference
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import recall_score
from sklearn.model_selection import FixedThresholdClassifier, train_test_split

from sklearn_xent import CrossEntropyClassifier

SIMULATIONS = 20


def population(rng, n, intercept=-3.0):
    X = rng.standard_normal((n, 4))
    return X, (rng.random(n) < expit(X @ [1.0, -1.0, 0.5, 0.0] + intercept)).astype(int)


def calibration_error(y, p, n_bins=20):
    """Mean distance between predicted and observed frequency over bins of equal size."""
    observed, predicted = calibration_curve(y, p, n_bins=n_bins, strategy="quantile")
    return np.abs(observed - predicted).mean()


def case_control(rng, X, y):
    cases = np.flatnonzero(y == 1)
    rows = np.concatenate([cases, rng.choice(np.flatnonzero(y == 0), len(cases), replace=False)])
    return X[rows], y[rows]


def test_case_control_samples_are_calibrated_again():
    """Beside an unweighted fit to a random sample of the same size."""
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        X, y = population(rng, 20_000)
        new, truth = population(rng, 50_000)
        sample = case_control(rng, X, y)
        rows = rng.choice(len(y), len(sample[1]), replace=False)
        plain = CrossEntropyClassifier().fit(X[rows], y[rows])
        corrected = CrossEntropyClassifier(prior={1: float(y.mean())}).fit(*sample)
        naive = CrossEntropyClassifier().fit(*sample)
        errors = [calibration_error(truth, fit.predict_proba(new)[:, 1]) for fit in (plain, corrected, naive)]
        assert errors[1] <= errors[0] + 0.01
        assert errors[2] > 0.2  # what it would be without


def test_class_weights_and_correction_are_calibrated_too():
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        X, y = population(rng, 5_000)
        new, truth = population(rng, 50_000)
        plain = CrossEntropyClassifier().fit(X, y)
        corrected = CrossEntropyClassifier(class_weight="balanced", prior_correction=True).fit(X, y)
        errors = [calibration_error(truth, fit.predict_proba(new)[:, 1]) for fit in (plain, corrected)]
        assert errors[1] <= errors[0] + 0.01


@pytest.mark.parametrize("weights", [{0: 1.0, 1: 9.0}, {0: 2.0, 1: 0.5}, "balanced"])
def test_the_weighted_decision_is_the_corrected_one_at_its_threshold(weights):
    """Bayes' decision at costs alpha: the corrected probability exceeds alpha_0 / (alpha_0 + alpha_1)."""
    X, y = population(np.random.default_rng(0), 3_000)
    counts = np.bincount(y)
    alpha = 1 / counts if weights == "balanced" else [weights[0], weights[1]]
    weighted = CrossEntropyClassifier(class_weight=weights).fit(X, y)
    corrected = CrossEntropyClassifier(class_weight=weights, prior_correction=True).fit(X, y)
    cut = FixedThresholdClassifier(
        FrozenEstimator(corrected), threshold=alpha[0] / (alpha[0] + alpha[1]), response_method="predict_proba"
    )
    np.testing.assert_array_equal(cut.fit(X, y).predict(X), weighted.predict(X))
    assert np.any(corrected.predict(X) != weighted.predict(X))


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 0.5}])
def test_the_shift_is_minus_the_logarithm_of_the_weights(class_weight, multi_class):
    X, y, weights = reference.make_problem(3, 200, 4)
    params = {"class_weight": class_weight, "multi_class": multi_class}
    plain = CrossEntropyClassifier(**params).fit(X, y, weights)
    fit = CrossEntropyClassifier(**params, prior_correction=True).fit(X, y, weights)
    sums = np.bincount(y, weights)
    alpha = sums.sum() / sums if class_weight == "balanced" else np.array([1.0, 5.0, 0.5])
    if multi_class == "multinomial":
        expected = -np.log(alpha) + np.mean(np.log(alpha))
    else:
        rest = (
            [weights.sum() / (weights.sum() - s) for s in sums]
            if class_weight == "balanced"
            else [np.average(np.delete(alpha, k), weights=np.delete(sums, k)) for k in range(3)]
        )
        expected = -np.log(alpha / rest)
    np.testing.assert_allclose(fit.prior_shift_, expected, rtol=1e-10)
    np.testing.assert_allclose(fit.intercept_ - plain.intercept_, expected, rtol=1e-10)
    np.testing.assert_array_equal(fit.coef_, plain.coef_)
    np.testing.assert_array_equal(fit.classes_[np.argmax(fit.predict_proba(X), axis=1)], fit.predict(X))
    assert np.all(plain.prior_shift_ == 0)


def test_a_saturated_model_gives_the_shares_themselves():
    """Without features the probabilities are the population's shares, exactly."""
    X, y = np.zeros((60, 1)), np.repeat([0, 1, 2], [10, 20, 30])
    for multi_class in ("ovr", "multinomial"):
        fit = CrossEntropyClassifier(multi_class=multi_class, prior={0: 0.7, 1: 0.2}).fit(X, y)
        np.testing.assert_allclose(fit.predict_proba(X[:1])[0], [0.7, 0.2, 0.1], rtol=1e-9)
    fit = CrossEntropyClassifier(prior={"dead": 0.01}).fit(np.zeros((4, 1)), ["alive", "dead", "alive", "dead"])
    assert fit.intercept_[0] == pytest.approx(logit(0.01))


def test_a_warm_start_is_not_moved_twice():
    X, y = population(np.random.default_rng(0), 2_000)
    fit = CrossEntropyClassifier(class_weight="balanced", prior_correction=True, warm_start=True, solver="lbfgs").fit(X, y)
    first = fit.intercept_.copy()
    assert fit.fit(X, y).n_iter_[0] <= 1
    np.testing.assert_allclose(fit.intercept_, first, rtol=1e-5)


@pytest.mark.parametrize(
    "prior", [{0: 0.5}, {0: 0.9, 1: 0.2}, {0: 0.5, 7: 0.5}, {}, {0: -0.1, 1: 1.1}, {0: "x", 1: 0.5}, {0: 1.0}]
)
def test_shares_that_are_none_are_refused(prior):
    X, y, _ = reference.make_problem(3)
    with pytest.raises(ValueError, match="prior must give the share"):
        CrossEntropyClassifier(prior=prior).fit(X, y)
    with pytest.raises(TypeError, match="prior must be None or a dict"):
        CrossEntropyClassifier(prior=0.5).fit(X, y)
    with pytest.raises(TypeError, match="prior_correction must be True or False"):
        CrossEntropyClassifier(prior_correction="yes").fit(X, y)


def test_balancing_each_task_raises_the_recall_of_a_rare_digit():
    X, y = load_digits(return_X_y=True)
    rare = np.flatnonzero(y == 8)[20:]
    X, y = np.delete(X, rare, axis=0), np.delete(y, rare)  # twenty eights among 1,600 others
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    recalls = [
        recall_score(
            y_test, CrossEntropyClassifier(C=1e-3, class_weight=weight).fit(X_train, y_train).predict(X_test), average=None
        )[8]
        for weight in (None, "balanced")
    ]
    assert recalls[1] > recalls[0] + 0.3


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_margin_is_the_lead_in_log_probability(n_classes, multi_class):
    X, y, _ = reference.make_problem(n_classes, 80, 3)
    fit = CrossEntropyClassifier(multi_class=multi_class).fit(X, y)
    ordered = np.sort(fit.predict_proba(X), axis=1)
    np.testing.assert_allclose(fit.decision_margin(X), np.log(ordered[:, -1] / ordered[:, -2]), rtol=1e-9)
    if n_classes == 2:
        np.testing.assert_allclose(fit.decision_margin(X), np.abs(fit.decision_function(X)), rtol=1e-9)


def test_ties_go_to_the_first_class_everywhere():
    X = np.zeros((6, 1))
    fit = CrossEntropyClassifier().fit(X, ["b", "a", "b", "a", "a", "b"])
    assert fit.decision_margin(X)[0] == 0
    assert fit.predict(X)[0] == "a"


@pytest.mark.parametrize("C", [1.0, 100.0])
def test_labels_are_those_of_the_highest_score_where_probabilities_round_to_ties(C):
    X, y = load_digits(return_X_y=True)
    fit = CrossEntropyClassifier(C=C).fit(X[:1000], y[:1000])
    far = 8 * X[1000:]
    scores, p = fit.decision_function(far), fit.predict_proba(far)
    np.testing.assert_array_equal(fit.predict(far), np.argmax(scores, axis=1))
    assert np.any(np.argmax(p, axis=1) != fit.predict(far))  # the first among probabilities that are equal
    np.testing.assert_array_equal(p[np.arange(len(p)), fit.predict(far)], p.max(axis=1))
    apart = np.sort(scores, axis=1)[:, -2] < 700
    assert np.all(fit.decision_margin(far)[apart] > 0)
