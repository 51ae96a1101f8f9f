"""Malformed input of every kind, at random: an error that says what is wrong, or a sound fit; nothing else, and soon."""

import time
import warnings

import numpy as np
import pytest
from scipy import sparse

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS

CASES, PARTS = 2_400, 24
RNG = np.random.default_rng(0)
N, P = 24, 3
X = RNG.standard_normal((N, P))
Y = RNG.integers(0, 3, N)
Y[:3] = [0, 1, 2]


def with_cell(value, dtype=float):
    """X with one cell replaced."""
    other = X.astype(dtype)
    other[3, 1] = value
    return other


BAD_X = [
    None,
    "text",
    3.0,
    [],
    [[]],
    [[], []],
    X[0],
    X[:, :, None],
    np.empty((0, P)),
    np.empty((N, 0)),
    X[:-1],
    np.vstack([X, X]),
    [*X[:-2].tolist(), [1.0], [2.0, 3.0]],
    with_cell(np.nan),
    with_cell(np.inf),
    with_cell(-np.inf),
    with_cell(1e308),
    with_cell(-1e200),
    with_cell("word", object),
    with_cell(None, object),
    with_cell([1], object),
    X.astype(complex) + 1j,
    X.astype(str),
    X.astype("datetime64[s]"),
    with_cell(10**400, object),
    np.full((N, P), 1e308),
    X * 1e-310,
    X * 0,
    np.full((N, P), np.nan),
    sparse.csr_array(with_cell(np.nan)),
    sparse.csr_array(with_cell(np.inf)),
    sparse.coo_array(X[:-1]),
    sparse.csr_array((N, P)),
    {"a": 1},
    object(),
    iter(X),
    b"bytes",
    lambda: X,
    np.ma.masked_invalid(with_cell(np.nan)),
    X.astype(np.float16),
    X.astype(np.longdouble),
    X.astype(bool),
    X.astype(np.int8),
    np.array(X.tolist(), dtype=object),
]
BAD_Y = [
    None,
    "text",
    1,
    [],
    Y[:-1],
    np.append(Y, 0),
    np.zeros(N),
    np.zeros((N, 2)),
    Y[:, None],
    Y + 0.5 * X[:, 0],
    np.where(Y == 0, np.nan, Y),
    np.where(Y == 0, np.inf, Y),
    Y.astype(str),
    Y.astype(object),
    [None] * N,
    [0, "a"] * (N // 2),
    np.arange(N),
    Y.astype(complex),
    Y.astype("datetime64[s]"),
    {0: 1},
    iter(Y),
    [[0]] * N,
    np.array([10**400, 1] * (N // 2), dtype=object),
    Y.astype(bool),
    Y.astype(np.uint8),
    -Y,
    Y * 10**15,
    np.where(Y == 0, -(2**63), 2**63 - 1),
    Y.astype(np.float32),
    sparse.csr_array(Y[None]),
    np.eye(3)[Y],
]
BAD_WEIGHTS = [
    "text",
    3.0,
    [],
    np.ones(N - 1),
    np.ones((N, 1)),
    np.ones((N, 2)),
    -np.ones(N),
    np.zeros(N),
    np.where(Y == 0, np.nan, 1),
    np.where(Y == 0, np.inf, 1),
    np.where(Y == 0, 0, 1),
    np.where(Y < 2, 0, 1),
    ["a"] * N,
    [None] * N,
    np.ones(N, dtype=complex),
    [10**400] * N,
    np.full(N, 1e308),
    np.full(N, 1e-320),
    np.arange(N) * 1e300,
    np.ones(N, dtype=bool),
    {0: 1},
    object(),
    [[1]] * N,
    np.ones(N).astype(str),
    sparse.csr_array(np.ones((1, N))),
    np.full(N, np.float32(3)),
    np.geomspace(1e-300, 1e300, N),
]
ANYTHING = [
    None,
    "text",
    b"x",
    -1,
    0,
    1.5,
    np.nan,
    np.inf,
    -np.inf,
    10**400,
    1j,
    True,
    [],
    [1],
    {},
    object(),
    np.ones(2),
    (),
    int,
    lambda: 1,
]
BAD_PARAMS = {
    "C": [*ANYTHING, 1e-320, 1e308, np.float32(2)],
    "l1_ratio": [*ANYTHING, 1.0 + 1e-9, -1e-9],
    "fit_intercept": ANYTHING,
    "class_weight": [
        *ANYTHING,
        {0: -1},
        {0: np.nan},
        {0: "a"},
        {9: 1},
        {0: 0, 1: 0},
        {0: 10**400},
        {"a": 1},
        {None: 1},
        "Balanced",
        {0: 1e308},
    ],
    "multi_class": [*ANYTHING, "OVR", "auto"],
    "solver": [*ANYTHING, "saga", *SOLVERS, *SOLVERS.values(), *(kind() for kind in SOLVERS.values())],
    "tol": [*ANYTHING, 1e-300, 1e300],
    "max_iter": [*ANYTHING, 2**70, 3.0],
    "warm_start": ANYTHING,
    "random_state": ANYTHING,
    "verbose": [value for value in ANYTHING if value is not True],
}


def draw(rng):
    """Parameters and arguments of which one to three are malformed, or odd."""
    params, arguments = {"max_iter": 30}, {"X": X, "y": Y, "sample_weight": None}
    for _ in range(rng.integers(1, 4)):
        part = rng.choice(["X", "y", "sample_weight", "params", "params"])
        if part == "params":
            name = rng.choice(list(BAD_PARAMS))
            params[name] = BAD_PARAMS[name][rng.integers(len(BAD_PARAMS[name]))]
        else:
            values = {"X": BAD_X, "y": BAD_Y, "sample_weight": BAD_WEIGHTS}[part]
            arguments[part] = values[rng.integers(len(values))]
    return params, arguments


@pytest.mark.parametrize("part", range(PARTS))
def test_malformed_input(part, record_property, capsys):
    refused = 0
    for case in range(part * CASES // PARTS, (part + 1) * CASES // PARTS):
        params, arguments = draw(np.random.default_rng(case))
        classifier = CrossEntropyClassifier(**params)
        untouched = dict(vars(classifier))
        start, problem = time.perf_counter(), None
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                classifier.fit(**arguments)
        except (TypeError, ValueError) as error:
            problem = str(error)
        if problem is not None:
            assert len(problem) > 10, (case, problem)
            assert vars(classifier) == untouched, case
            refused += 1
        else:
            for name in ("coef_", "intercept_", "n_passes_", "n_iter_"):
                assert np.all(np.isfinite(getattr(classifier, name))), (case, name)
            assert not np.isnan(classifier.optimality_gap_), case
        assert time.perf_counter() - start < 2, case
    assert refused > CASES / PARTS / 3
    record_property("malformed inputs", CASES // PARTS)
    record_property("malformed inputs refused", refused)
