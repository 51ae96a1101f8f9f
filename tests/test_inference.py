"""Uncertainty, against statsmodels, published tables, finite differences and simulation."""

import pickle

import numpy as np
import pandas as pd
import pytest
import reference
from scipy import optimize, sparse, stats
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.inference import Inference, calibration_summary

sm = pytest.importorskip("statsmodels.api")
sandwich = pytest.importorskip("statsmodels.stats.sandwich_covariance")

DRAWS = 500
LEVEL = (0.93, 0.97)  # what 95% intervals have to cover


def spector():
    data = sm.datasets.spector.load_pandas()
    return data.exog, data.endog.astype(int)


def fair():
    data = sm.datasets.fair.load_pandas()
    return data.exog[["rate_marriage", "age", "yrs_married", "religious"]], (data.endog > 0).astype(int)


def generated():
    X, y, _ = reference.make_problem(2, 300, 4, 3)
    return X + 3.0, y  # an offset that must not matter


def anes():
    data = sm.datasets.anes96.load_pandas()
    return data.exog[["logpopul", "selfLR", "age", "educ", "income"]], data.endog.astype(int)


def three_classes():
    X, y, _ = reference.make_problem(3, 300, 4, 5)
    return X, y


BINARY = {"spector": spector, "fair": fair, "generated": generated}
SOFTMAX = {"anes96": anes, "generated": three_classes}


def unpenalised(X, y, weights=None, **params):
    return CrossEntropyClassifier(**({"C": np.inf, "multi_class": "multinomial", "tol": 1e-13} | params)).fit(X, y, weights)


def theirs(X, y, **more):
    """Their fit without the ridge that it adds to Hessians, and a Newton step from there, for the last digits."""
    kind, A = sm.Logit if len(np.unique(y)) == 2 else sm.MNLogit, np.column_stack([np.ones(len(y)), np.asarray(X)])
    model, settings = kind(np.asarray(y), A), {"disp": 0, "maxiter": 200, "tol": 1e-8, "ridge_factor": 0}
    near = np.ravel(np.asarray(model.fit(**settings).params), order="F")
    return model.fit(start_params=near, **settings, **more)


def close(found, expected, rtol=1e-6):
    np.testing.assert_allclose(found, expected, rtol=rtol)


def standard_errors(result, covariance):
    found = np.sqrt(np.diag(covariance))
    return found.reshape(np.asarray(result.params).T.shape) if np.ndim(result.params) == 2 else found[None]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("data", [*BINARY.values(), *SOFTMAX.values()], ids=[*BINARY, *(f"{name}-softmax" for name in SOFTMAX)])
def test_standard_errors_are_those_of_statsmodels(data, container):
    X, y = data()
    X, result, groups = np.asarray(X, dtype=float), theirs(X, y), np.arange(len(y)) // 5
    fit = unpenalised(container(X), y)
    classical = Inference(fit, container(X), y)
    close(classical.params_, np.atleast_2d(np.asarray(result.params).T))
    close(classical.standard_errors_, standard_errors(result, result.cov_params()))
    n, k = len(y), classical.params_.size
    for kind in ("HC0", "HC1"):
        # Their cov_type="HC1" leaves out the factor n / (n - k) where the likelihood is not a linear model's.
        expected = theirs(X, y, cov_type=kind).cov_params() * (n / (n - k) if kind == "HC1" else 1)
        close(Inference(fit, container(X), y, covariance=kind).standard_errors_, standard_errors(result, expected))
    if result.params.ndim == 1:
        white = sandwich.cov_white_simple(result, use_correction=True)
        close(Inference(fit, container(X), y, covariance="robust").standard_errors_, standard_errors(result, white))
        expected = theirs(X, y, cov_type="cluster", cov_kwds={"groups": groups}).cov_params()
        found = Inference(fit, container(X), y, covariance="cluster", groups=groups)
        close(found.standard_errors_, standard_errors(result, expected))


def test_greene_standard_errors_of_the_spector_data():
    """Greene (2003), Econometric Analysis, 5th edition, table 21.1."""
    X, y = spector()
    inference = Inference(unpenalised(X, y), X, y)
    assert inference.names_ == ["(intercept)", "GPA", "TUCE", "PSI"]
    np.testing.assert_allclose(inference.standard_errors_, [[4.93132, 1.26294, 0.14155, 1.06456]], atol=6e-6)


def scores_of(inference, A, y, weights):
    """Weighted scores of the rows, written out."""
    Z = A @ inference.params_.T
    p = expit(Z) if Z.shape[1] == 1 else softmax(np.column_stack([0 * Z[:, 0], Z]), axis=1)[:, 1:]
    r = p - (y[:, None] == np.arange(1, Z.shape[1] + 1))
    return (weights[:, None, None] * r[:, :, None] * A[:, None, :]).reshape(len(A), -1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_clusters_and_weights_by_the_formula(n_classes):
    X, y, _ = reference.make_problem(n_classes, 250, 3, 1)
    rng = np.random.default_rng(0)
    weights, groups = rng.integers(1, 4, 250).astype(float), rng.integers(0, 20, 250)
    fit, A = unpenalised(X, y, weights), np.column_stack([np.ones(250), X])
    bread = Inference(fit, X, y, weights).covariance_
    k = len(bread)
    S = scores_of(Inference(fit, X, y, weights), A, y, weights)
    probability = Inference(fit, X, y, weights, covariance="HC0", weights="probability")
    close(probability.covariance_, bread @ S.T @ S @ bread, rtol=1e-7)
    frequency = Inference(fit, X, y, weights, covariance="HC1")
    n = weights.sum()
    close(frequency.covariance_, bread @ S.T @ (S / weights[:, None]) @ bread * n / (n - k), rtol=1e-7)
    sums = np.array([S[groups == g].sum(axis=0) for g in range(20)])
    cluster = Inference(fit, X, y, weights, covariance="cluster", groups=groups, weights="probability")
    close(cluster.covariance_, bread @ sums.T @ sums @ bread * 20 / 19 * 249 / (250 - k), rtol=1e-7)


@pytest.mark.parametrize("covariance", ["classical", "HC0", "HC1"])
@pytest.mark.parametrize(("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")])
def test_a_frequency_weight_is_a_repetition(n_classes, multi_class, covariance):
    X, y, _ = reference.make_problem(n_classes, 200, 3, 2)
    times = np.random.default_rng(1).integers(0, 4, 200)
    weighted = Inference(unpenalised(X, y, times, multi_class=multi_class), X, y, times, covariance=covariance)
    X, y = np.repeat(X, times, axis=0), np.repeat(y, times)
    repeated = Inference(unpenalised(X, y, multi_class=multi_class), X, y, covariance=covariance)
    close(weighted.covariance_, repeated.covariance_)
    output = None if multi_class == "multinomial" else weighted.outputs_[-1]
    one, other = weighted.likelihood_ratio_test([0], output), repeated.likelihood_ratio_test([0], output)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-6)


def test_each_one_vs_rest_task_is_a_binary_model():
    X, y = three_classes()
    tasks = Inference(unpenalised(X, y, multi_class="ovr"), X, y, covariance="robust")
    for k in range(3):
        alone = Inference(unpenalised(X, y == k), X, y == k, covariance="robust")
        close(tasks.params_[k], alone.params_[0], rtol=1e-5)
        close(tasks.standard_errors_[k], alone.standard_errors_[0], rtol=1e-5)
        close(tasks.profile_interval(1, output=f"log-odds of {k}"), alone.profile_interval(1), rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_ridge_covariance_is_the_curvature_of_the_penalised_likelihood(fit_intercept, n_classes):
    """In all coefficients of all classes, by second differences; contrasts of its pseudo-inverse."""
    X, y, weights = reference.make_problem(n_classes, 150, 3, 4)
    fit = unpenalised(X, y, weights, C=0.3, fit_intercept=fit_intercept)
    inference = Inference(fit, X, y, weights)
    A = np.column_stack([np.ones(150), X]) if fit_intercept else X
    q, n_outputs = A.shape[1], len(fit.coef_)
    theta = np.column_stack([fit.intercept_, fit.coef_]) if fit_intercept else fit.coef_
    free = np.append(np.zeros(int(fit_intercept)), np.ones(3)) / 0.3

    def gradient(theta):
        Z = A @ theta.reshape(n_outputs, q).T
        p = expit(Z) if n_outputs == 1 else softmax(Z, axis=1)
        r = p - (y[:, None] == (np.arange(1, 2) if n_outputs == 1 else np.arange(3)))
        return ((weights[:, None] * r).T @ A + free * theta.reshape(n_outputs, q)).ravel()

    steps = 1e-5 * np.eye(theta.size)
    hessian = np.array([(gradient(theta.ravel() + s) - gradient(theta.ravel() - s)) / 2e-5 for s in steps])
    contrast = np.eye(1) if n_outputs == 1 else np.column_stack([-np.ones(2), np.eye(2)])
    C = np.kron(contrast, np.eye(q))
    expected = C @ np.linalg.pinv((hessian + hessian.T) / 2, rcond=1e-9) @ C.T
    np.testing.assert_allclose(inference.covariance_, expected, rtol=1e-5, atol=1e-8 * np.abs(expected).max())
    assert inference.kind_ == "Laplace (posterior) covariance of the ridge fit"
    assert "ridge" in Inference(fit, X, y, weights, covariance="HC0").kind_


@pytest.mark.parametrize("data", [*BINARY.values(), *SOFTMAX.values()], ids=[*BINARY, *(f"{name}-softmax" for name in SOFTMAX)])
def test_tests_agree_with_statsmodels(data):
    X, y = data()
    columns = list(range(X.shape[1]))
    inference, A = Inference(unpenalised(X, y), X, y), np.asarray(X)
    full = theirs(X, y)
    for tested in ([0], [1, 2], columns):
        kept = [j for j in columns if j not in tested]
        smaller = theirs(A[:, kept], y)
        found = inference.likelihood_ratio_test(tested)
        assert found.statistic == pytest.approx(2 * (full.llf - smaller.llf), rel=1e-6)
        assert found.df == len(tested) * len(inference.outputs_)
        assert found.p_value == pytest.approx(stats.chi2.sf(2 * (full.llf - smaller.llf), found.df), rel=1e-5)
    place = [k * (len(columns) + 1) + j + 1 for k in range(len(inference.outputs_)) for j in (1, 2)]
    expected = full.wald_test(np.eye(inference.params_.size)[place], scalar=True)
    found = inference.wald_test([1, 2])
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-6)
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-5, abs=1e-300)


@pytest.mark.parametrize("C", [np.inf, 0.5])
def test_profile_intervals_agree_with_a_grid(C):
    X, y, _ = reference.make_problem(2, 80, 3, 7)
    A, ridge = np.column_stack([np.ones(80), X]), 0 if np.isinf(C) else 1 / C
    sign = np.where(y == 1, 1.0, -1.0)

    def penalised(theta):
        return np.logaddexp(0, -sign * (A @ theta)).sum() + ridge / 2 * np.sum(theta[1:] ** 2)

    def held(value):
        return optimize.minimize(
            lambda rest: penalised(np.insert(rest, 2, value)), np.zeros(3), method="BFGS", options={"gtol": 1e-7}
        ).fun

    inference = Inference(unpenalised(X, y, C=C), X, y)
    lower, upper = inference.profile_interval(1, level=0.9)
    best = held(inference.params_[0, 2])
    threshold = stats.chi2.ppf(0.9, 1)
    grid = np.linspace(lower - 0.3, upper + 0.3, 61)
    accepted = np.array([2 * (held(value) - best) <= threshold for value in grid])
    np.testing.assert_array_equal(accepted, (grid >= lower) & (grid <= upper))
    for end in (lower, upper):
        assert 2 * (held(end) - best) == pytest.approx(threshold, abs=1e-5)


def test_a_profile_is_found_however_far_and_in_any_unit():
    """One cell of the table is empty: only a ridge of next to nothing ends the likelihood's rise on that side."""
    X = np.repeat([[0.0], [0.0], [1.0]], [10, 10, 6], axis=0)
    y = np.repeat([0, 1, 1], [10, 10, 6])
    fit = CrossEntropyClassifier(C=1e6, tol=1e-12).fit(X, y)
    lower, upper = Inference(fit, X, y).profile_interval(0)
    assert 0 < lower < fit.coef_[0, 0] < upper
    X, y = np.tile(np.linspace(-1, 1, 50), 2)[:, None], np.repeat([0, 1], 50)
    expected = np.array(Inference(unpenalised(X, y), X, y).profile_interval(0, level=0.99))
    assert expected[0] < 0 < expected[1]
    found = Inference(unpenalised(1e-6 * X, y), 1e-6 * X, y).profile_interval(0, level=0.99)
    close(np.array(found) / 1e6, expected)


def test_probability_intervals_are_those_of_the_link_scale():
    X, y = spector()
    result = sm.GLM(y, sm.add_constant(X), family=sm.families.Binomial()).fit(tol=1e-14)
    frame = result.get_prediction(sm.add_constant(X)).summary_frame(alpha=0.1)
    fit = unpenalised(X, y)
    lower, upper = Inference(fit, X, y).predict_proba_interval(X, level=0.9)
    close(lower[:, 1], frame["mean_ci_lower"], rtol=1e-5)
    close(upper[:, 1], frame["mean_ci_upper"], rtol=1e-5)
    np.testing.assert_allclose(lower[:, 0], 1 - upper[:, 1], rtol=1e-12)


def test_an_offset_of_the_columns_does_not_widen_probability_intervals():
    X, y = generated()
    X = np.round(X, 2)
    expected = Inference(unpenalised(X, y), X, y).predict_proba_interval(X)
    found = Inference(unpenalised(X + 2.0**27, y), X + 2.0**27, y).predict_proba_interval(X + 2.0**27)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("covariance", ["classical", "HC0"])
def test_frequency_weights_are_those_of_statsmodels(covariance):
    X, y, _ = reference.make_problem(2, 200, 3, 4)
    weights = np.random.default_rng(0).integers(1, 5, 200).astype(float)
    model = sm.GLM(y, sm.add_constant(X), family=sm.families.Binomial(), freq_weights=weights)
    result = model.fit(tol=1e-14, cov_type="nonrobust" if covariance == "classical" else "HC0")
    found = Inference(unpenalised(X, y, weights), X, y, weights, covariance=covariance)
    close(found.params_[0], result.params)
    close(found.standard_errors_[0], result.bse)


def test_a_later_fit_changes_nothing():
    X, y = three_classes()
    fit = unpenalised(X, y, multi_class="ovr")
    inference = Inference(fit, X, y)
    expected = inference.profile_interval(0, output="log-odds of 1")
    fit.set_params(multi_class="multinomial").fit(X, y)
    assert inference.profile_interval(0, output="log-odds of 1") == expected


def test_softmax_intervals_by_differences_and_inside_the_unit_interval():
    X, y = three_classes()
    fit = unpenalised(X, y)
    inference = Inference(fit, X, y)
    lower, upper = inference.predict_proba_interval(X)
    p = fit.predict_proba(X)
    assert np.all((lower > 0) & (lower <= p) & (p <= upper) & (upper < 1))
    A = np.column_stack([np.ones(5), X[:5]])

    def log_odds(theta):
        q = softmax(np.column_stack([np.zeros(5), A @ theta.reshape(2, -1).T]), axis=1)
        return np.log(q / (1 - q))

    theta = inference.params_.ravel()
    slopes = np.array([(log_odds(theta + s) - log_odds(theta - s)) / 2e-6 for s in 1e-6 * np.eye(len(theta))])
    spread = np.sqrt(np.einsum("aik,ab,bik->ik", slopes, inference.covariance_, slopes))
    np.testing.assert_allclose(lower[:5], expit(log_odds(theta) - stats.norm.ppf(0.975) * spread), rtol=1e-5)


def test_a_sample_drawn_by_class_takes_the_numbers_out_of_the_variance():
    """Prentice & Pyke (1979): the intercept's variance less those of the logarithms of the classes' numbers."""
    X, y = fair()
    plain, moved = (CrossEntropyClassifier(C=np.inf, tol=1e-12, prior=prior).fit(X, y) for prior in (None, {1: 0.05}))
    one, two = Inference(plain, X, y), Inference(moved, X, y)
    expected = one.covariance_.copy()
    expected[0, 0] -= 1 / (y == 0).sum() + 1 / (y == 1).sum()
    close(two.covariance_, expected)
    close(two.params_[0, 0] - one.params_[0, 0], moved.prior_shift_[0])
    assert "drawn class by class" in two.kind_


@pytest.mark.parametrize("covariance", ["HC0", "cluster"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sandwiches_of_samples_drawn_by_class_vary_about_the_classes(n_classes, covariance):
    X, y, _ = reference.make_problem(n_classes, 250, 3, 1)
    rng = np.random.default_rng(0)
    weights, groups = rng.integers(1, 4, 250).astype(float), rng.integers(0, 20, 250) if covariance == "cluster" else None
    A = np.column_stack([np.ones(250), X])
    plain, prior = unpenalised(X, y, weights), dict.fromkeys(range(n_classes), 1 / n_classes)
    bread = Inference(plain, X, y, weights).covariance_
    S = scores_of(Inference(plain, X, y, weights), A, y, weights) / weights[:, None]
    for k in range(n_classes):
        S[y == k] -= np.average(S[y == k], axis=0, weights=weights[y == k])
    found = Inference(unpenalised(X, y, weights, prior=prior), X, y, weights, covariance=covariance, groups=groups)
    S *= np.sqrt(weights)[:, None] if groups is None else weights[:, None]
    n, k = weights.sum(), len(bread)
    if groups is not None:
        S = np.array([S[groups == g].sum(axis=0) for g in range(20)]) * np.sqrt(20 / 19 * (n - 1) / (n - k))
    close(found.covariance_, bread @ S.T @ S @ bread, rtol=1e-7)


def shares_covered(inference, truth):
    low, high = inference.params_ - 1.96 * inference.standard_errors_, inference.params_ + 1.96 * inference.standard_errors_
    return (low <= truth) & (truth <= high)


def probabilities(truth, X):
    Z = np.column_stack([np.ones(len(X)), X]) @ truth.T
    return softmax(np.column_stack([np.zeros(len(X)), Z]), axis=1)


def drawn(truth, X, rng):
    return (rng.random((len(X), 1)) > np.cumsum(probabilities(truth, X), axis=1)).sum(axis=1)


def intervals_cover(truth, new, draw, draws, covariance="classical", **params):
    """Assert that intervals of coefficients, and of the probabilities of new rows, hold the truth as often as they say."""
    covered, inside, expected = 0, 0, probabilities(truth, new)
    for _ in range(draws):
        X, y = draw()
        inference = Inference(unpenalised(X, y, tol=1e-10, **params), X, y, covariance=covariance)
        covered = covered + shares_covered(inference, truth) / draws
        lower, upper = inference.predict_proba_interval(new)
        inside = inside + ((lower <= expected) & (expected <= upper)) / draws
    assert np.all((covered >= LEVEL[0]) & (covered <= LEVEL[1])), covered
    assert np.all((inside >= LEVEL[0]) & (inside <= LEVEL[1])), inside


@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_cover_as_they_say(n_classes, record_property):
    """500 draws from a known model: coefficients and probabilities."""
    truth, rng = np.array([[-0.3, 0.8, -0.5], [0.4, 0.3, 0.6]])[: n_classes - 1], np.random.default_rng(0)

    def draw():
        X = rng.standard_normal((400, 2))
        return X, drawn(truth, X, rng)

    record_property("simulated data sets with intervals checked", DRAWS)
    intervals_cover(truth, np.array([[0.5, -0.5], [1.5, 1.0], [-1.0, 0.0]]), draw, DRAWS)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("covariance", ["classical", "HC1"])
def test_intervals_cover_in_case_control_samples(covariance, n_classes, record_property):
    """Balanced by design, from a population that is not: the intercept, the probabilities and all else."""
    truth, rng = np.array([[-2.0, 0.8, -0.5], [-1.5, 0.3, 0.6]])[: n_classes - 1], np.random.default_rng(0)
    population = rng.standard_normal((1_000_000, 2))
    labels = drawn(truth, population, rng)
    classes = [np.flatnonzero(labels == k) for k in range(n_classes)]

    def draw():
        rows = np.concatenate([rng.choice(members, 200) for members in classes])
        return population[rows], labels[rows]

    draws = 2 * DRAWS  # 500 have a standard error of 1%: at four places and more, two of them are not rare
    record_property("simulated data sets with intervals checked", draws)
    prior = {k: len(rows) / len(labels) for k, rows in enumerate(classes)}
    intervals_cover(truth, np.array([[0.5, -0.5], [1.5, 1.0]]), draw, draws, covariance, prior=prior)


def test_clusters_need_the_cluster_covariance(record_property):
    """Rows of a group share most of their luck: the marginal model is right, independence is not."""
    truth, rng = np.array([-0.5, 1.0, 0.5]), np.random.default_rng(1)
    groups, covered = np.repeat(np.arange(100), 8), {"classical": 0, "cluster": 0}
    for _ in range(DRAWS):
        X = np.column_stack([np.repeat(rng.standard_normal(100), 8), rng.standard_normal(800)])
        luck = np.sqrt(0.7) * np.repeat(rng.standard_normal(100), 8) + np.sqrt(0.3) * rng.standard_normal(800)
        y = (stats.norm.cdf(luck) < expit(truth[0] + X @ truth[1:])).astype(int)
        fit = unpenalised(X, y, tol=1e-10)
        for kind in covered:
            inference = Inference(fit, X, y, covariance=kind, groups=groups if kind == "cluster" else None)
            covered[kind] = covered[kind] + shares_covered(inference, truth)[0, :2] / DRAWS
    record_property("simulated data sets with intervals checked", DRAWS)
    assert np.all(covered["classical"] < 0.85), covered  # intercept and the column that is constant in a group
    assert np.all((covered["cluster"] >= LEVEL[0]) & (covered["cluster"] <= LEVEL[1])), covered


def test_the_table_in_text_page_and_frame():
    X, y = spector()
    table = Inference(unpenalised(X, y), X, y).table(level=0.9)
    frame, result = table.to_frame(), theirs(X, y)
    close(frame["z"], result.tvalues)
    close(frame["p"], result.pvalues, rtol=1e-5)
    close(frame[["lower", "upper"]], result.conf_int(alpha=0.1))
    close(frame["odds upper"], np.exp(result.conf_int(alpha=0.1)[:, 1]))
    assert frame.index.get_level_values("name").tolist() == ["(intercept)", "GPA", "TUCE", "PSI"]
    for piece in ("log-odds of 1", "GPA", "2.8261", "1.2629", "90% intervals"):
        assert piece in str(table)
        assert piece in table._repr_html_()
    assert "99.9% intervals" in str(Inference(unpenalised(X, y), X, y).table(0.999))


def test_clear_refusals():
    X, y = three_classes()
    fit = unpenalised(X, y)
    with pytest.raises(ValueError, match="l1 penalty"):
        Inference(CrossEntropyClassifier(l1_ratio=0.5).fit(X, y), X, y)
    with pytest.raises(ValueError, match="repetitions"):
        Inference(unpenalised(X, y, class_weight="balanced"), X, y)
    with pytest.raises(ValueError, match="repetitions"):
        Inference(fit, X, y, weights="probability")
    with pytest.raises(ValueError, match="needs groups"):
        Inference(fit, X, y, covariance="cluster")
    with pytest.raises(ValueError, match="Only one group"):
        Inference(fit, X, y, covariance="cluster", groups=np.zeros(len(y)))
    with pytest.raises(ValueError, match="group of each"):
        Inference(fit, X, y, covariance="cluster", groups=np.zeros(3))
    with pytest.raises(TypeError, match="LogisticRegression"):
        Inference(LogisticRegression().fit(X, y), X, y)
    with pytest.raises(TypeError, match="one column"):
        Inference(unpenalised(X, y, multi_class="ovr"), X, y).profile_interval([0, 1])
    with pytest.raises(ValueError, match="standard errors from the optimum"):
        Inference(fit, X + 1.0, y)
    with pytest.raises(ValueError, match="labels that are not among"):
        Inference(fit, X, y + 1)
    with pytest.raises(ValueError, match="Softmax has no profile"):
        Inference(fit, X, y).profile_interval(0)
    with pytest.raises(ValueError, match="no joint covariance"):
        Inference(unpenalised(X, y, multi_class="ovr"), X, y).predict_proba_interval(X)
    with pytest.raises(ValueError, match="without penalty"):
        Inference(unpenalised(X, y, C=1.0), X, y).likelihood_ratio_test(0)
    with pytest.raises(ValueError, match="names or indices"):
        Inference(fit, X, y).wald_test(["dose"])
    with pytest.raises(ValueError, match="a number between 0 and 1"):
        Inference(fit, X, y).table(level=95)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(twice=lambda data: 2 * data["b"], one=3.0)
    with pytest.raises(ValueError, match=r"collinear, or constant: .*one") as caught:
        Inference(unpenalised(frame, y), frame, y)
    assert "a," not in str(caught.value)
    frame = frame.drop(columns="one")
    with pytest.raises(ValueError, match="collinear, or constant: b, twice"):
        Inference(unpenalised(frame, y), frame, y)
    Inference(unpenalised(frame, y, C=1.0), frame, y)  # a ridge penalty tells them apart
    with pytest.warns(match="separate"):
        apart = CrossEntropyClassifier(C=np.inf).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"no optimum\. .*separated by 0"):
        Inference(apart, [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_separated_classes_have_no_standard_errors(multi_class):
    X, y = three_classes()
    frame = pd.DataFrame(np.column_stack([X, y == 2]), columns=[*"abcd", "tells"])
    with pytest.warns(match="tells"):
        fit = unpenalised(frame, y, multi_class=multi_class)
    with pytest.raises(ValueError, match=r"no optimum\. .*tells"):
        Inference(fit, frame, y)


@pytest.mark.parametrize(
    ("params", "more"),
    [
        ({"class_weight": {0: 1.0, 1: 0.5}}, {"covariance": "robust"}),
        ({}, {"covariance": "robust", "weights": "probability"}),
        ({}, {"covariance": "cluster", "groups": np.arange(300) % 30}),
    ],
)
def test_likelihoods_are_not_compared_where_they_mean_nothing(params, more):
    X, y = generated()
    inference = Inference(unpenalised(X, y, **params), X, y, **more)
    for question in (lambda: inference.likelihood_ratio_test(0), lambda: inference.profile_interval(0)):
        with pytest.raises(ValueError, match="rows are independent and weights are repetitions"):
            question()
    assert inference.wald_test(0).df == 1


def test_tasks_are_not_tested_together():
    """They share their rows, so that the sum of their statistics follows no chi-squared."""
    X, y = three_classes()
    inference = Inference(unpenalised(X, y, multi_class="ovr"), X, y)
    for test in (inference.wald_test, inference.likelihood_ratio_test):
        with pytest.raises(ValueError, match="output must be one of"):
            test([0])
        alone = getattr(Inference(unpenalised(X, y == 1), X, y == 1), test.__name__)([0, 2])
        found = test([0, 2], output="log-odds of 1")
        assert found.statistic == pytest.approx(alone.statistic, rel=1e-6)


def test_parameters_set_after_the_fit_change_nothing():
    X, y = generated()
    for fitted, other in (({"C": 1.0}, {"C": 2.0}), ({"C": np.inf}, {"fit_intercept": False})):
        fit = unpenalised(X, y, **fitted)
        before = Inference(fit, X, y)
        after = Inference(fit.set_params(**other), X, y)
        np.testing.assert_array_equal(after.covariance_, before.covariance_)
        assert after.names_ == before.names_
    for fitted, other in (
        ({"C": 1.0, "l1_ratio": 1.0}, {"l1_ratio": 0.0}),
        ({"class_weight": {0: 1, 1: 5}}, {"class_weight": None}),
    ):
        with pytest.raises(ValueError, match=r"l1 penalty|no repetitions"):
            Inference(unpenalised(X, y, **fitted).set_params(**other), X, y)


def test_too_few_groups_or_rows_are_said():
    X, y = generated()
    fit = unpenalised(X, y)
    few = Inference(fit, X, y, covariance="cluster", groups=np.arange(300) % 3)
    assert few.wald_test([0]).df == 1
    with pytest.raises(ValueError, match="singular"):
        few.wald_test([0, 1, 2])
    weights = np.ones(300) / 300
    with pytest.raises(ValueError, match="frequency weights count rows"):
        Inference(unpenalised(X, y, weights), X, y, weights, covariance="robust")
    Inference(unpenalised(X, y, weights), X, y, weights, covariance="robust", weights="probability")


def test_classes_without_weight_are_as_good_as_absent():
    X, y = three_classes()
    fit = unpenalised(X, y, class_weight={2: 0.0})
    rows = y < 2
    expected = Inference(unpenalised(X[rows], y[rows]), X[rows], y[rows], covariance="HC0")
    close(Inference(fit, X, y, covariance="HC0").covariance_, expected.covariance_)


def test_the_tasks_of_a_fit_have_an_inference_of_their_own():
    X, y = three_classes()
    fit = unpenalised(X, y, multi_class="ovr", prior={0: 0.1, 1: 0.2, 2: 0.7})
    whole = Inference(fit, X, y)
    for k, task in enumerate(fit.estimators_):
        alone = Inference(task, X, y == k)
        close(alone.standard_errors_[0], whole.standard_errors_[k])
        close(alone.params_[0], whole.params_[k])
    balanced = unpenalised(X, y, multi_class="ovr", class_weight="balanced")
    one, two = Inference(balanced.estimators_[1], X, y == 1, covariance="HC0"), Inference(balanced, X, y, covariance="HC0")
    close(one.standard_errors_[0], two.standard_errors_[1])
    assert "0.6" in str(balanced.estimators_[1].summary())
    several = unpenalised(X, y, multi_class="ovr", class_weight={0: 1.0, 1: 2.0, 2: 3.0})
    with pytest.raises(ValueError, match="several class weights"):
        Inference(several.estimators_[1], X, y == 1, covariance="robust")
    Inference(several, X, y, covariance="robust")
    assert "several in the rest" in str(several.estimators_[1].summary())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_containers_and_labels(dtype):
    X, y = generated()
    X, labels = X.astype(dtype), np.array(["no", "yes"])[y]
    fit = unpenalised(X, labels).sparsify()
    inference = pickle.loads(pickle.dumps(Inference(fit, X, labels)))
    assert inference.outputs_ == ["log-odds of yes"]
    close(inference.covariance_, Inference(unpenalised(X.astype(float), y), X.astype(float), y).covariance_)
    assert inference.predict_proba_interval(X[:3])[0].shape == (3, 2)


def test_calibration_in_numbers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4_000, 2))
    y = (rng.random(4_000) < expit(X @ [1.0, -1.0])).astype(int)
    fit = CrossEntropyClassifier(C=np.inf).fit(X[:2_000], y[:2_000])
    honest = calibration_summary(fit, X[2_000:], y[2_000:], random_state=0)
    p = fit.predict_proba(X[2_000:])
    assert honest.brier_score == pytest.approx(2 * np.mean((p[:, 1] - y[2_000:]) ** 2))
    assert honest.interval[0] <= honest.expected_calibration_error <= honest.interval[1]
    assert honest.expected_calibration_error < 0.04
    fit.coef_ = 3 * fit.coef_  # as sure of itself as it has no right to be
    boastful = calibration_summary(fit, X[2_000:], y[2_000:], random_state=0)
    assert boastful.interval[0] > honest.interval[1]
    assert boastful.mean_confidence > boastful.accuracy + 0.05
    assert "expected calibration error" in str(boastful)
    with pytest.raises(ValueError, match="labels that are not among"):
        calibration_summary(fit, X, y + 5)
