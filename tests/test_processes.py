"""Fits in threads, in forked and spawned processes, and from pickles: the same numbers."""

import multiprocessing
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import InconsistentVersionWarning

from sklearn_xent import CrossEntropyClassifier, __version__
from sklearn_xent._threads import _threads, in_threads, team

pytestmark = pytest.mark.usefixtures("two_threads")

JOBS = [{}, {"l1_ratio": 1.0, "C": 0.01}, {"multi_class": "multinomial"}, {"solver": "lbfgs"}]


def coefficients(params):
    """Fit and return what came out; importable by a spawned process."""
    X, y = make_classification(6_000, 40, n_informative=10, n_classes=3, random_state=0)
    fit = CrossEntropyClassifier(tol=1e-12, **params).fit(X, y)
    return np.hstack([fit.coef_, fit.intercept_[:, None]])


@pytest.fixture(scope="module")
def alone():
    return [coefficients(params) for params in JOBS]


def same(found, expected):
    # Thread counts cut blocks elsewhere, and rounding may turn a decision on the way. The optimum stays: a gap of 1e-12
    # leaves coefficients open by sqrt(2e-12 / curvature), some 5e-6 here.
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_threads_that_fit_at_once(alone):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            same(list(pool.map(coefficients, JOBS)), alone)


@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_processes(alone, method, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(__file__).rpartition("/")[0], *sys.path])  # for the spawned one to import this file
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # Python 3.12 on fork
        with multiprocessing.get_context(method).Pool(2) as pool:
            same(pool.map(coefficients, JOBS), alone)


def work_as_a_fork():
    assert _threads.get() == (None, 1)
    assert in_threads(list, range(4)) == [[0, 1, 2, 3]]
    with team(10**9):
        assert sum(in_threads(sum, range(4))) == 6


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="nothing is forked here")
def test_who_is_forked_by_a_fit_at_work_starts_threads_of_its_own():
    with warnings.catch_warnings(), team(10**9):
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # Python 3.12 on fork
        in_threads(list, range(4))
        child = multiprocessing.get_context("fork").Process(target=work_as_a_fork)
        child.start()
        child.join(60)
    assert child.exitcode == 0


def test_a_pickle_carries_the_version():
    X, y = make_classification(random_state=0)
    fit = CrossEntropyClassifier().fit(X, y)
    state = fit.__getstate__()
    assert state["_sklearn_xent_version"] == __version__
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.predict_proba(X), fit.predict_proba(X))
    assert not hasattr(again, "_sklearn_xent_version")
    state["_sklearn_xent_version"] = "0.0.1"
    other = CrossEntropyClassifier()
    with pytest.warns(InconsistentVersionWarning, match=r"CrossEntropyClassifier from version 0\.0\.1"):
        other.__setstate__(state)
    np.testing.assert_array_equal(other.coef_, fit.coef_)
