"""What the parameters of `CrossEntropyClassifier` may be."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_xent._checks import check_integer, check_option, check_real
from sklearn_xent.solvers import SOLVERS, Solver

MULTI_CLASS = ("ovr", "multinomial")


def check_params(estimator):
    """Return the solver object and the random state that the parameters of an estimator ask for.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not what it may be; the message says which and what it may be.
    """
    check_real("C", estimator.C, "a positive number or np.inf", lambda v: v > 0)
    check_real("l1_ratio", estimator.l1_ratio, "a number from 0 to 1", lambda v: 0 <= v <= 1)
    check_real("tol", estimator.tol, "a finite number of at least 0", lambda v: 0 <= v < np.inf)
    check_integer("max_iter", estimator.max_iter, 1)
    check_option("multi_class", estimator.multi_class, MULTI_CLASS)
    for name in ("fit_intercept", "warm_start", "prior_correction"):
        if not isinstance(getattr(estimator, name), bool | np.bool_):
            raise TypeError(f"{name} must be True or False; got {getattr(estimator, name)!r}.")
    verbose = estimator.verbose
    check_integer("verbose", int(verbose) if isinstance(verbose, bool | np.bool_) else verbose, 0)
    if not (estimator.class_weight is None or isinstance(estimator.class_weight, dict)):
        check_option("class_weight", estimator.class_weight, ("balanced",))
    if not (estimator.prior is None or isinstance(estimator.prior, dict)):
        raise TypeError(f"prior must be None or a dict of the classes' shares; got {estimator.prior!r}.")
    return _check_solver(estimator.solver), check_random_state(estimator.random_state)


def _check_solver(solver):
    if isinstance(solver, Solver):
        solver.check_params()
        return solver
    if isinstance(solver, str) and solver in SOLVERS:
        return SOLVERS[solver]()
    error = ValueError if isinstance(solver, str) else TypeError
    raise error(
        f"solver must be one of {', '.join(map(repr, SOLVERS))} or an object from sklearn_xent.solvers; got {solver!r}."
    )
