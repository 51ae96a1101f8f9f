"""Solvers: one file an algorithm, one line in the registry."""

from sklearn_xent.solvers._base import Solver
from sklearn_xent.solvers.auto import Auto
from sklearn_xent.solvers.compact_newton import CompactNewton
from sklearn_xent.solvers.gradient_descent import GradientDescent
from sklearn_xent.solvers.newton import Newton
from sklearn_xent.solvers.newton_cg import NewtonCG
from sklearn_xent.solvers.quasi_newton import BFGS, LBFGS
from sklearn_xent.solvers.stochastic import StochasticGradientDescent
from sklearn_xent.solvers.subsampled_newton import SubsampledNewton

#: Solvers by name: what ``CrossEntropyClassifier(solver=name)`` accepts.
SOLVERS = {
    "auto": Auto,
    "newton": Newton,
    "compact-newton": CompactNewton,
    "subsampled-newton": SubsampledNewton,
    "newton-cg": NewtonCG,
    "bfgs": BFGS,
    "lbfgs": LBFGS,
    "gd": GradientDescent,
    "sgd": StochasticGradientDescent,
}


def name_of(solver):
    """Name of a solver object in the registry; its class's name if it is not there."""
    names = (name for name, kind in SOLVERS.items() if type(solver) is kind)
    return next(names, type(solver).__name__)


__all__ = [
    "BFGS",
    "LBFGS",
    "SOLVERS",
    "Auto",
    "CompactNewton",
    "GradientDescent",
    "Newton",
    "NewtonCG",
    "Solver",
    "StochasticGradientDescent",
    "SubsampledNewton",
]
