"""What every solver shares: parameters by name, units, a start, a monitored run."""

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_xent._minimise import Controls, Monitor
from sklearn_xent._reductions import standardised
from sklearn_xent._threads import team_for

DIVERGED = 1e100  # objective beyond which steps of a given length were too long


class Solver(BaseEstimator):
    """A way to minimise an objective. Parameters follow scikit-learn: `get_params`, `set_params`, `clone`.

    Subclasses implement ``_run(point, monitor, random_state)``: hand every iterate to ``monitor.accept`` until it says stop.
    """

    #: Iterations without progress after which rounding is taken to have won.
    _patience = 5

    def minimise(self, objective, controls=None, start=None, random_state=None):
        """Minimise an objective.

        Parameters
        ----------
        objective : Objective
        controls : Controls, optional
            Tolerance, most iterations, verbosity.
        start : (coef, intercept), optional
            Where to start, in the units of the data; zero otherwise.
        random_state : numpy.random.RandomState, optional
            For solvers that draw.

        Returns
        -------
        Solution

        Raises
        ------
        ValueError
            If a parameter of the solver is out of its range.
        """
        self.check_params()
        with team_for(objective.design, objective.shape[0]):
            objective = self._prepare(objective.centred())
            monitor = Monitor(objective, Controls() if controls is None else controls, self._patience, self._limit())
            try:
                self._run(_first(objective, start), monitor, random_state)
            except KeyboardInterrupt as interruption:
                if monitor.best is None:
                    raise
                monitor.interrupt(interruption)
            return monitor.solution()

    def check_params(self):
        """Raise if a parameter is of the wrong type or out of its range."""

    def chosen(self, objective):
        """Return the solver that will do the work: this one, unless it delegates."""
        return self

    def _prepare(self, objective):
        return standardised(objective)

    def _limit(self):
        """Most iterations by the solver's own parameters."""
        return np.inf

    def _run(self, point, monitor, random_state):
        raise NotImplementedError


def _first(objective, start):
    """Return the point of the coefficients given, or the origin where that is better: a start may come from other data."""
    origin = objective.origin()
    if start is None:
        return origin
    with np.errstate(over="ignore", invalid="ignore"):
        point = objective.at(*objective.lower(*start))
        return point if point.value <= origin.value else origin
