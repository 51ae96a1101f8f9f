"""Ctrl-C in the middle of a fit: nothing is lost, nothing is half-fitted, and the interrupt goes on."""

import numpy as np
import pytest
import reference
from sklearn.utils.validation import check_is_fitted

from sklearn_xent import CrossEntropyClassifier, _classifier
from sklearn_xent._minimise import Monitor
from sklearn_xent.inference import Inference
from sklearn_xent.solvers import SOLVERS

FITTED = {name for name in vars(CrossEntropyClassifier().fit([[0.0], [1.0], [0.5]], [0, 1, 0])) if name.endswith("_")}


def interrupt_at(monkeypatch, iteration, error=KeyboardInterrupt):
    """Raise in the middle of an iteration of the outermost run: after so many iterates have been taken."""
    outermost = []

    def interrupted(method):
        def interrupting(self, *args):
            outermost.append(self)
            if self is outermost[0] and self.n_iter + 1 == iteration:
                raise error
            return method(self, *args)

        return interrupting

    for name in ("accept", "note"):
        monkeypatch.setattr(Monitor, name, interrupted(getattr(Monitor, name)))


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_best_iterate_is_kept_and_the_interrupt_goes_on(monkeypatch, solver, l1_ratio, multi_class):
    X, y, weights = reference.make_problem(3)
    classifier = CrossEntropyClassifier(C=10.0, solver=solver, l1_ratio=l1_ratio, multi_class=multi_class, tol=1e-12)
    interrupt_at(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y, weights)
    assert classifier.status_ == "interrupted"
    check_is_fitted(classifier)
    assert set(vars(classifier)) >= FITTED
    assert len(classifier.history_["objective"]) == 2
    assert classifier.optimality_gap_ >= 0
    assert np.all(np.isfinite(classifier.predict_proba(X)))


@pytest.mark.parametrize("solver", SOLVERS)
def test_before_the_first_iterate_nothing_changes(monkeypatch, solver):
    X, y, weights = reference.make_problem(3)
    classifier = CrossEntropyClassifier(solver=solver, tol=10.0).fit(X, y)
    before = dict(vars(classifier))
    interrupt_at(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y, weights)
    assert vars(classifier) == before


@pytest.mark.parametrize("iteration", [0, 2])
@pytest.mark.parametrize("solver", SOLVERS)
def test_running_out_of_memory_leaves_the_estimator_as_it_was(monkeypatch, solver, iteration):
    X, y, weights = reference.make_problem(3)
    classifier = CrossEntropyClassifier(C=10.0, solver=solver, tol=1e-12)
    interrupt_at(monkeypatch, iteration, MemoryError)
    with pytest.raises(MemoryError):
        classifier.fit(X, y, weights)
    assert set(vars(classifier)) == set(vars(CrossEntropyClassifier()))


def interrupt_the(monkeypatch, number, method="accept"):
    """Raise in a call of a monitor's method, whichever run it watches."""
    original, calls = getattr(Monitor, method), []

    def counted(self, *args):
        calls.append(self)
        if len(calls) == number:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(Monitor, method, counted)


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize(("solver", "method"), [("newton", "accept"), ("auto", "note")])  # there, `compact-newton` takes notes
def test_an_interrupt_in_other_coordinates_is_one(monkeypatch, number, solver, method):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 200)), rng.integers(0, 2, 30)
    classifier = CrossEntropyClassifier(solver=solver)
    interrupt_the(monkeypatch, number, method)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    assert hasattr(classifier, "coef_") == (number > 1)
    if number > 1:
        assert classifier.status_ == "interrupted"
        assert np.isfinite(classifier.optimality_gap_)


def test_an_interrupt_in_the_middle_of_a_line_of_the_history(monkeypatch):
    X, y, _ = reference.make_problem(2)
    classifier = CrossEntropyClassifier(solver="lbfgs")
    interrupt_the(monkeypatch, 4, "_record")
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    assert classifier.status_ == "interrupted"
    assert {len(values) for values in classifier.history_.values()} == {3}


@pytest.mark.parametrize("step", ["_suspicious", "separation_of"])
def test_an_interrupt_while_separation_is_looked_for_keeps_the_fit(step, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_classifier, step, interrupted)
    classifier = CrossEntropyClassifier(C=np.inf)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    assert classifier.status_ == "interrupted"
    assert classifier.separation_ is None
    assert np.all(np.isfinite(classifier.coef_))


def test_an_interrupt_of_a_profile_goes_on(monkeypatch):
    X, y, _ = reference.make_problem(2)
    inference = Inference(CrossEntropyClassifier(tol=1e-12).fit(X, y), X, y)
    interrupt_the(monkeypatch, 12)
    with pytest.raises(KeyboardInterrupt):
        inference.profile_interval(0)
