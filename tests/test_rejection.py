"""Abstaining: the threshold meets its target, on new data too, around any probabilistic classifier."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    PredefinedSplit,
    StratifiedKFold,
    cross_val_predict,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_xent import CrossEntropyClassifier, RejectOptionClassifier, risk_coverage_curve

AROUND = {
    "ours": CrossEntropyClassifier(C=0.01),
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
    "random forest": RandomForestClassifier(n_estimators=100, random_state=0),
}


def digits():
    return train_test_split(*load_digits(return_X_y=True), test_size=0.5, random_state=0)


@pytest.mark.parametrize("estimator", AROUND.values(), ids=AROUND)
def test_accepted_digits_are_right(estimator, record_property):
    """Every digit held out once: among the accepted at most three in a hundred are wrong where two were asked for."""
    X, y = load_digits(return_X_y=True)
    said, claimed = np.empty(len(y)), []
    for train, test in StratifiedKFold(4, shuffle=True, random_state=0).split(X, y):
        careful = RejectOptionClassifier(estimator, max_error=0.02, reject_label=-1).fit(X[train], y[train])
        said[test] = careful.predict(X[test])
        np.testing.assert_array_equal(careful.accepts(X[test]), said[test] != -1)
        assert careful.error_ <= 0.02
        claimed.append(careful.coverage_)
    accepted = said != -1
    error, coverage = np.mean(said[accepted] != y[accepted]), accepted.mean()
    print(f"error of the accepted {error:.4f}, coverage {coverage:.3f}")
    assert error <= 0.03
    assert coverage > 0.85
    assert abs(coverage - np.mean(claimed)) < 0.1  # folds in order are other writers, and harder


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_error", [0.02, 0.05, 0.1, 1.0])
def test_the_threshold_is_the_lowest_that_meets_the_error(max_error, weighted):
    X, y = make_classification(400, 8, n_informative=4, n_classes=3, class_sep=2.0, flip_y=0.05, random_state=0)
    weight = np.random.default_rng(0).integers(1, 4, 400).astype(float) if weighted else None
    estimator = CrossEntropyClassifier(multi_class="multinomial")
    fit = RejectOptionClassifier(estimator, max_error=max_error, cv=4).fit(X, y, weight)
    params = {"params": {"sample_weight": weight}} if weighted else {}
    p = cross_val_predict(estimator, X, y, cv=4, method="predict_proba", **params)  # labels are 0, 1, 2 here
    confidence, wrong = p.max(axis=1), p.argmax(axis=1) != y
    w = np.ones(400) if weight is None else weight

    def error_above(t):
        kept = confidence >= t
        return np.sum((w * wrong)[kept]) / w[kept].sum()

    good = [t for t in np.unique(confidence) if error_above(t) <= max_error]
    assert fit.threshold_ == (min(good) if max_error < 1 else 0)
    assert fit.error_ == pytest.approx(error_above(fit.threshold_))
    assert fit.coverage_ == pytest.approx(w[confidence >= fit.threshold_].sum() / w.sum())


@pytest.mark.parametrize("coverage", [0.01, 0.5, 0.9, 1.0])
def test_coverage_is_at_least_what_was_asked_for_and_no_more_than_one_case_above(coverage):
    X, y = make_classification(400, 8, n_informative=4, n_classes=3, random_state=0)
    fit = RejectOptionClassifier(CrossEntropyClassifier(), coverage=coverage).fit(X, y)
    assert coverage <= fit.coverage_ < coverage + 1 / 399
    if coverage == 1:
        np.testing.assert_array_equal(
            RejectOptionClassifier(CrossEntropyClassifier()).fit(X, y).predict(X), fit.estimator_.predict(X)
        )


def test_the_curve_by_hand_with_ties_and_weights():
    p = np.array([[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.5, 0.5]])
    coverage, risk, thresholds = risk_coverage_curve([0, 0, 0, 0, 1], p, sample_weight=[1, 3, 2, 1, 1])
    np.testing.assert_allclose(thresholds, [0.9, 0.8, 0.6, 0.5])
    np.testing.assert_allclose(coverage, [4 / 8, 6 / 8, 7 / 8, 1])
    np.testing.assert_allclose(risk, [3 / 4, 3 / 6, 4 / 7, 5 / 8])  # the tie 0.5, 0.5 goes to the first class
    with pytest.raises(ValueError, match="Say with classes="):
        risk_coverage_curve([0, 0, 0, 0, 0], p)


def test_chow_risk_falls_with_coverage_where_probabilities_are_true():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], size=20_000)
    y = (rng.random((20_000, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    coverage, risk, _thresholds = risk_coverage_curve(y, p)
    at = np.searchsorted(coverage, [0.2, 0.5, 0.8, 1.0])
    assert np.all(np.diff(risk[at]) > 0)
    expected = [1 - np.sort(p.max(axis=1))[-int(20_000 * c) :].mean() for c in (0.2, 0.5, 0.8, 1.0)]
    np.testing.assert_allclose(risk[at], expected, atol=0.02)


@pytest.mark.parametrize(
    ("labels", "reject_label", "kind"),
    [
        (["ab", "c"], "undecided", "U"),
        (["ab", "c"], -1, "O"),
        ([0, 1], -1, "i"),
        ([0, 1], None, "O"),
        ([False, True], "?", "O"),
    ],
)
def test_labels_of_any_type(labels, reject_label, kind):
    X, y = make_classification(200, 5, flip_y=0.3, random_state=0)
    fit = RejectOptionClassifier(CrossEntropyClassifier(), coverage=0.5, reject_label=reject_label).fit(X, np.array(labels)[y])
    said = fit.predict(X)
    assert said.dtype.kind == kind
    assert set(said.tolist()) == {*labels, reject_label}
    np.testing.assert_array_equal([label == reject_label for label in said.tolist()], ~fit.accepts(X))


def test_in_pipelines_searches_and_around_the_frozen():
    X_train, X_test, y_train, y_test = digits()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RejectOptionClassifier(CrossEntropyClassifier(), coverage=0.9)),
        {"rejectoptionclassifier__estimator__C": [0.001, 0.1], "rejectoptionclassifier__coverage": [0.8, 0.9]},
        cv=2,
    )
    assert 0.85 < search.fit(X_train, y_train).score(X_test, y_test) < 0.95  # abstaining counts as wrong
    inner = CrossEntropyClassifier(C=0.01).fit(X_train, y_train)
    frozen = RejectOptionClassifier(FrozenEstimator(inner), coverage=0.8).fit(X_test, y_test)
    np.testing.assert_array_equal(frozen.predict_proba(X_test), inner.predict_proba(X_test))
    assert (
        RejectOptionClassifier(CrossEntropyClassifier(), max_error=0.1).fit(sparse.csr_array(X_train), y_train).coverage_ > 0.9
    )


@pytest.mark.filterwarnings("ignore:Number of classes in training fold:RuntimeWarning")
def test_a_row_of_no_weight_has_no_say():
    """Nor has a class of such rows only; the folds have to be the same, though."""
    X, y = make_classification(300, 6, flip_y=0.2, random_state=0)
    y[::30] = 2
    weight, fold = np.ones(300), np.arange(300) // 3 % 4
    weight[::3] = 0
    kept = weight > 0
    fits = [
        RejectOptionClassifier(CrossEntropyClassifier(), max_error=0.1, cv=PredefinedSplit(fold[rows])).fit(
            X[rows], y[rows], *more
        )
        for rows, more in ((slice(None), [weight]), (kept, []))
    ]
    assert fits[0].threshold_ == pytest.approx(fits[1].threshold_, rel=1e-6)
    assert fits[0].classes_.tolist() == [0, 1]


def test_labels_in_the_folds_are_those_that_weights_name():
    X, y = make_classification(300, 6, flip_y=0.2, random_state=0)
    thresholds = set()
    for labels in ([0, 1], [1, 2], ["ham", "spam"]):
        weighted = CrossEntropyClassifier(class_weight=dict(zip(labels, [1.0, 9.0], strict=True)), prior={labels[1]: 0.3})
        thresholds.add(RejectOptionClassifier(weighted, max_error=0.2).fit(X, np.array(labels)[y]).threshold_)
    assert len(thresholds) == 1


def test_around_a_frozen_classifier_that_knows_more_classes():
    X, y = load_digits(return_X_y=True)
    inner = CrossEntropyClassifier(C=0.01).fit(X, y)
    some = y < 7
    careful = RejectOptionClassifier(FrozenEstimator(inner), coverage=0.5).fit(X[some], y[some])
    confidence = inner.predict_proba(X[some]).max(axis=1)
    assert np.mean(confidence >= careful.threshold_) == pytest.approx(0.5, abs=0.001)


def test_what_cannot_be_met_or_meant_is_said():
    X, y = make_classification(200, 5, random_state=0)
    noise = np.random.default_rng(0).integers(0, 2, 200)
    with pytest.warns(UserWarning, match="everything is rejected"):
        none = RejectOptionClassifier(RandomForestClassifier(random_state=0), max_error=0.0).fit(X, noise)
    assert all(label is None for label in none.predict(X))
    with pytest.raises(ValueError, match="Give one of max_error, coverage and threshold; got max_error and threshold"):
        RejectOptionClassifier(CrossEntropyClassifier(), max_error=0.1, threshold=0.5).fit(X, y)
    for name, value in (("max_error", 1.5), ("coverage", 0.0), ("threshold", -0.1)):
        with pytest.raises(ValueError, match=f"{name} must be a number"):
            RejectOptionClassifier(CrossEntropyClassifier(), **{name: value}).fit(X, y)
    with pytest.raises(TypeError, match="coverage must be a number"):
        RejectOptionClassifier(CrossEntropyClassifier(), coverage="half").fit(X, y)
    with pytest.raises(ValueError, match="reject_label=1 is a class"):
        RejectOptionClassifier(CrossEntropyClassifier(), reject_label=1).fit(X, y)
    with pytest.raises(ValueError, match="one label"):
        RejectOptionClassifier(CrossEntropyClassifier(), reject_label=[1, 2]).fit(X, y)
    with pytest.raises(ValueError, match="LinearSVC has no predict_proba"):
        RejectOptionClassifier(LinearSVC(), threshold=0.5).fit(X, y)


def test_the_error_is_that_of_what_is_predicted():
    """Not of the likeliest class, where another threshold decides."""
    X, y = make_classification(600, 6, flip_y=0.2, random_state=0)
    inner = FixedThresholdClassifier(LogisticRegression(), threshold=0.1, response_method="predict_proba").fit(X, y)
    careful = RejectOptionClassifier(FrozenEstimator(inner), max_error=0.08, reject_label=-1).fit(X, y)
    said = careful.predict(X)
    accepted = said != -1
    assert 0 < accepted.mean() < 1
    assert accepted.mean() == pytest.approx(careful.coverage_)
    assert (said != y)[accepted].mean() == pytest.approx(careful.error_)
    assert careful.error_ <= 0.08


def test_classes_that_the_classifier_does_not_know_are_errors():
    X, y = load_digits(return_X_y=True)
    inner = CrossEntropyClassifier(C=0.01).fit(X[y < 7], y[y < 7])
    careful = RejectOptionClassifier(FrozenEstimator(inner), coverage=1.0).fit(X, y)
    assert careful.error_ == pytest.approx((inner.predict(X) != y).mean())


def test_rows_of_no_weight_meet_no_target():
    confidence = np.array([0.9, 0.8, 0.7])
    coverage, risk, thresholds = risk_coverage_curve(
        [0, 1, 1], np.column_stack([confidence, 1 - confidence]), sample_weight=[0.0, 1.0, 1.0]
    )
    np.testing.assert_array_equal(thresholds, [0.8, 0.7])
    np.testing.assert_array_equal(risk, [1.0, 1.0])
    np.testing.assert_array_equal(coverage, [0.5, 1.0])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sample_weight": [0.0, 0.0]}, r"zero"),
        ({"sample_weight": [1.0]}, "sample_weight"),
        ({"sample_weight": [-1.0, 1.0]}, "Negative"),
        ({"classes": [0, 2]}, "not among the classes"),
        ({"y_proba": [[0.5, 0.5], [np.nan, 0.5]]}, "NaN"),
        ({"y_proba": [[1.0], [1.0]]}, "a column for each"),
    ],
)
def test_curves_of_nothing_are_refused(more, message):
    given = {"y_true": [0, 1], "y_proba": [[0.9, 0.1], [0.2, 0.8]]} | more
    with pytest.raises(ValueError, match=message):
        risk_coverage_curve(**given)
