"""Bad input: an error that names what was wrong and what would be right; nothing half-fitted, nothing modified."""

import numpy as np
import pytest
import reference
from scipy import sparse

from sklearn_xent import CrossEntropyClassifier, find_separation
from sklearn_xent.solvers import LBFGS, GradientDescent, NewtonCG, StochasticGradientDescent

X, Y, WEIGHTS = reference.make_problem(3)
N = len(Y)


def changed(array, index, value):
    array = array.astype(type(value) if isinstance(value, complex) else float)
    array[index] = value
    return array


PARAMETERS = [
    ({"C": np.nan}, ValueError, r"C must be a positive number or np\.inf; got nan"),
    ({"C": 0}, ValueError, r"C must be a positive number .* got 0"),
    ({"C": -1.0}, ValueError, r"C must be a positive number .* got -1\.0"),
    ({"C": "1"}, TypeError, r"C must be a positive number .* got '1' \(str\)"),
    ({"C": None}, TypeError, r"C must be .* got None"),
    ({"C": True}, TypeError, r"C must be .* got True"),
    ({"l1_ratio": None}, TypeError, r"l1_ratio must be a number from 0 to 1; got None"),
    ({"l1_ratio": 1.5}, ValueError, r"l1_ratio must be a number from 0 to 1; got 1\.5"),
    ({"l1_ratio": -0.1}, ValueError, r"l1_ratio must be"),
    ({"l1_ratio": np.nan}, ValueError, r"l1_ratio must be"),
    ({"fit_intercept": 1}, TypeError, r"fit_intercept must be True or False; got 1"),
    ({"class_weight": "balance"}, ValueError, r"class_weight must be 'balanced'.*got 'balance'"),
    ({"class_weight": [1, 2]}, TypeError, r"class_weight must be 'balanced'.*got \[1, 2\]"),
    ({"class_weight": {0: -1}}, ValueError, r"class_weight must give non-negative finite numbers; class 0 has -1"),
    ({"class_weight": {0: np.nan}}, ValueError, r"class_weight must give .* class 0 has nan"),
    ({"class_weight": {0: "2"}}, ValueError, r"class_weight must give .* class 0 has '2'"),
    ({"class_weight": {"a": 2}}, ValueError, r"class_weight names none of the classes in y: .*\['a'\].*\[0, 1, 2\]"),
    ({"multi_class": "softmax"}, ValueError, r"multi_class must be 'ovr' or 'multinomial'; got 'softmax'"),
    ({"multi_class": 3}, TypeError, r"multi_class must be 'ovr' or 'multinomial'; got 3"),
    ({"solver": "saga"}, ValueError, r"solver must be one of 'auto'.*'lbfgs'.* got 'saga'"),
    ({"solver": None}, TypeError, r"solver must be one of .* got None"),
    ({"solver": NewtonCG}, TypeError, r"solver must be one of .* or an object from sklearn_xent\.solvers"),
    ({"solver": GradientDescent(step_size=-1)}, ValueError, r"step_size must be 'lipschitz' or a positive float; got -1"),
    ({"solver": GradientDescent(step_size="fast")}, TypeError, r"step_size must be .* got 'fast'"),
    ({"solver": GradientDescent(momentum=1.0)}, ValueError, r"momentum must be 'nesterov' or a float .* got 1\.0"),
    ({"solver": StochasticGradientDescent(batch_size=0)}, ValueError, r"batch_size must be an integer of at least 1; got 0"),
    ({"solver": StochasticGradientDescent(n_epochs=2.5)}, TypeError, r"n_epochs must be an integer .* got 2\.5"),
    ({"solver": StochasticGradientDescent(momentum="nesterov")}, TypeError, r"momentum must be a float"),
    ({"solver": StochasticGradientDescent(step_size=0.0)}, ValueError, r"step_size must be 'auto' or a positive float"),
    ({"solver": StochasticGradientDescent(adagrad=1)}, TypeError, r"adagrad must be True or False; got 1"),
    ({"solver": NewtonCG(max_inner=0)}, ValueError, r"max_inner must be an integer of at least 1"),
    ({"solver": NewtonCG(max_passes=2.5)}, TypeError, r"max_passes must be an integer of at least 1"),
    ({"solver": LBFGS(memory=0)}, ValueError, r"memory must be an integer of at least 1"),
    ({"tol": -1}, ValueError, r"tol must be a finite number of at least 0; got -1"),
    ({"tol": np.inf}, ValueError, r"tol must be a finite number"),
    ({"tol": "small"}, TypeError, r"tol must be .* got 'small'"),
    ({"max_iter": 1.5}, TypeError, r"max_iter must be an integer of at least 1; got 1\.5 \(float\)"),
    ({"max_iter": 0}, ValueError, r"max_iter must be an integer of at least 1; got 0"),
    ({"max_iter": True}, TypeError, r"max_iter must be an integer"),
    ({"warm_start": "yes"}, TypeError, r"warm_start must be True or False; got 'yes'"),
    ({"verbose": -1}, ValueError, r"verbose must be an integer of at least 0; got -1"),
    ({"random_state": "seed"}, ValueError, r"'seed' cannot be used to seed"),
]
ARGUMENTS = [
    ("NaN in X", {"X": changed(X, (3, 1), np.nan)}, r"Input X contains NaN"),
    ("infinity in X", {"X": changed(X, (3, 1), np.inf)}, r"Input X contains infinity"),
    ("NaN in sparse X", {"X": sparse.csr_array(changed(X, (3, 1), np.nan))}, r"X contains NaN"),
    ("NaN in y", {"y": changed(Y, 3, np.nan)}, r"y contains NaN"),
    ("infinity in y", {"y": changed(Y, 3, np.inf)}, r"y contains infinity"),
    ("NaN in weights", {"sample_weight": changed(WEIGHTS, 3, np.nan)}, r"sample_weight contains NaN"),
    ("infinity in weights", {"sample_weight": changed(WEIGHTS, 3, np.inf)}, r"sample_weight contains infinity"),
    ("short y", {"y": Y[:-1]}, rf"inconsistent numbers of samples: \[{N}, {N - 1}\]"),
    ("short weights", {"sample_weight": WEIGHTS[:-1]}, rf"sample_weight must have the shape \({N},\).*got \({N - 1},\)"),
    ("2-d weights", {"sample_weight": np.ones((N, 2))}, rf"sample_weight must have the shape \({N},\).*got \({N}, 2\)"),
    ("scalar weight", {"sample_weight": 2.0}, rf"sample_weight must have the shape \({N},\)"),
    ("text weights", {"sample_weight": ["a"] * N}, r"sample_weight must be finite non-negative numbers: could not convert"),
    ("negative weights", {"sample_weight": changed(WEIGHTS, 3, -1.0)}, r"sample_weight must not be negative; .* -1"),
    ("zero weights", {"sample_weight": np.zeros(N)}, r"sample_weight is zero everywhere"),
    (
        "one weighted class",
        {"sample_weight": (Y == 1).astype(float)},
        r"only one class in y has a positive total weight: \[1\]",
    ),
    ("one class", {"y": np.full(N, "a")}, r"at least two classes, but y has one class only: \['a'\]"),
    ("complex X", {"X": X + 1j}, r"Complex data not supported"),
    ("text X", {"X": np.full(X.shape, "a")}, r"could not convert string to float"),
    ("1-d X", {"X": X[:, 0]}, r"Expected 2D array, got 1D array"),
    ("3-d X", {"X": X[None]}, r"Found array with dim 3"),
    ("no rows", {"X": X[:0], "y": Y[:0]}, r"0 sample"),
    ("no columns", {"X": X[:, :0]}, r"0 feature"),
    ("continuous y", {"y": np.linspace(0, 1, N)}, r"Unknown label type: continuous"),
    ("multilabel y", {"y": np.eye(3, dtype=int)[Y]}, r"y should be a 1d array"),
    ("no y", {"y": None}, r"requires y to be passed"),
]


STORES = [np.ascontiguousarray, np.asfortranarray, np.float32, sparse.csr_array, sparse.csc_array]


def state(estimator):
    return {name: value for name, value in vars(estimator).items() if name.endswith("_")}


@pytest.mark.parametrize(("params", "error", "message"), PARAMETERS, ids=[str(case[0])[:60] for case in PARAMETERS])
def test_parameters(params, error, message):
    estimator = CrossEntropyClassifier(**params)
    with pytest.raises(error, match=message):
        estimator.fit(X, Y, WEIGHTS)
    assert state(estimator) == {}


@pytest.mark.parametrize(("arguments", "message"), [case[1:] for case in ARGUMENTS], ids=[case[0] for case in ARGUMENTS])
def test_arguments(arguments, message):
    estimator = CrossEntropyClassifier()
    with pytest.raises(ValueError, match=message):
        estimator.fit(**({"X": X, "y": Y, "sample_weight": None} | arguments))
    assert state(estimator) == {}


@pytest.mark.parametrize("arguments", [case[1] for case in ARGUMENTS], ids=[case[0] for case in ARGUMENTS])
def test_a_failed_fit_leaves_the_last_one(arguments):
    estimator = CrossEntropyClassifier().fit(X[:, :3], Y)
    before = state(estimator)
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are tested above
        estimator.fit(**({"X": X, "y": Y, "sample_weight": None} | arguments))
    assert state(estimator) == before
    assert estimator.predict(X[:, :3]).shape == Y.shape


@pytest.fixture(scope="module")
def wide():
    """Many columns, too many rows to rotate, one number a row."""
    columns = np.random.default_rng(0).permutation(100_000)[:2_500]
    return sparse.csr_matrix((np.random.default_rng(1).random(2_500), columns, np.arange(2_501)), shape=(2_500, 100_000))


def test_a_hessian_too_large_is_refused_before_passes_are_spent_on_doing_without(wide, capsys):
    with pytest.raises(ValueError, match=r"solver=NewtonCG\(max_passes=3\) would work with a dense Hessian of 80 GB"):
        CrossEntropyClassifier(solver=NewtonCG(max_passes=3), verbose=1).fit(wide, np.arange(2_500) % 2)
    assert capsys.readouterr().out == ""  # no iteration was reported


@pytest.mark.parametrize(("solver", "alternative"), [("newton", "newton-cg"), ("bfgs", "lbfgs")])
def test_a_matrix_too_large_is_refused_before_it_is_made(wide, solver, alternative):
    y = np.arange(2_500) % 2
    with pytest.raises(ValueError, match=rf"dense Hessian of 80 GB here; use solver='{alternative}' or 'auto'"):
        CrossEntropyClassifier(solver=solver).fit(wide, y)
    assert CrossEntropyClassifier(solver=alternative, C=0.1).fit(wide, y).status_ == "converged"
    auto = CrossEntropyClassifier(C=0.1).fit(wide, y)
    assert (auto.solver_, auto.status_) == ("newton-cg", "converged")
    assert CrossEntropyClassifier(solver=solver, l1_ratio=1.0).fit(wide, y).status_ == "converged"


def test_an_interrupted_fit_leaves_the_last_one(monkeypatch):
    estimator = CrossEntropyClassifier(solver=NewtonCG()).fit(X[:, :3], Y)
    before = state(estimator)
    monkeypatch.setattr(NewtonCG, "_run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, Y)
    assert state(estimator) == before


def test_a_class_weight_may_name_a_class_that_a_fold_lacks():
    fit = CrossEntropyClassifier(class_weight={0: 2.0, 1: 1.0, 7: 3.0}).fit(X, Y)
    np.testing.assert_array_equal(fit.coef_, CrossEntropyClassifier(class_weight={0: 2.0}).fit(X, Y).coef_)


def test_nothing_is_modified():
    copies = X.copy(), Y.copy(), WEIGHTS.copy()
    duplicated = sparse.coo_array((np.ones(6), ([0, 0, 1, 2, 3, 4], [0, 0, 1, 2, 3, 0])), shape=(N, 4)).tocsr()
    stored = sparse.csr_array((np.ones(6), np.array([0, 0, 1, 2, 3, 0]), np.array([0, 2, 3, 4, 5, 6] + [6] * (N - 5))), (N, 4))
    for fitted in (X, stored):
        CrossEntropyClassifier(class_weight="balanced").fit(fitted, Y, WEIGHTS)
    for now, before in zip((X, Y, WEIGHTS), copies, strict=True):
        np.testing.assert_array_equal(now, before)
    assert stored.nnz == 6
    np.testing.assert_allclose(
        CrossEntropyClassifier().fit(stored, Y).coef_, CrossEntropyClassifier().fit(duplicated, Y).coef_, rtol=1e-10
    )


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_prediction_checks_its_input(method):
    fit = CrossEntropyClassifier().fit(X, Y)
    with pytest.raises(ValueError, match=r"X has 3 features, but CrossEntropyClassifier is expecting 4"):
        getattr(fit, method)(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        getattr(fit, method)(changed(X, (0, 0), np.nan))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("weighted", [True, False], ids=["weighted row", "row without weight"])
@pytest.mark.parametrize("store", STORES, ids=[store.__name__ for store in STORES])
def test_a_value_that_is_not_finite_is_found_wherever_it_is(value, weighted, store):
    rng = np.random.default_rng(0)
    data, y = rng.standard_normal((30_000, 12)), np.arange(30_000) % 3  # several blocks
    for row, column in ((0, 0), (14_999, 7), (29_999, 11), tuple(rng.integers((30_000, 12)))):
        weights = np.ones(len(y))
        weights[row] = weighted
        with pytest.raises(ValueError, match=r"X contains (NaN|infinity)") as raised:
            CrossEntropyClassifier().fit(store(changed(data, (row, column), value)), y, weights)
        assert raised.value.__context__ is None  # nothing else is complained of


def test_find_separation_asks_for_finite_values():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        find_separation(changed(X, (3, 1), np.nan), Y)
