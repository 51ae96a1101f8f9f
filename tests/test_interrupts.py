"""Ctrl-C in the middle of a fit: nothing is lost, nothing is half-fitted, and the interrupt goes on."""

import numpy as np
import pytest
import reference
from sklearn.utils.validation import check_is_fitted

from sklearn_xent import CrossEntropyClassifier
from sklearn_xent._minimise import Monitor
from sklearn_xent.solvers import SOLVERS

FITTED = {name for name in vars(CrossEntropyClassifier().fit([[0.0], [1.0], [0.5]], [0, 1, 0])) if name.endswith("_")}


def interrupt_at(monkeypatch, iteration, error=KeyboardInterrupt):
    """Raise in the middle of an iteration of the outermost run: after so many iterates have been taken."""
    accept, outermost = Monitor.accept, []

    def accepting(self, point):
        outermost.append(self)
        if self is outermost[0] and self.n_iter + 1 == iteration:
            raise error
        return accept(self, point)

    monkeypatch.setattr(Monitor, "accept", accepting)


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
