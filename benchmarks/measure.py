"""One workload measured: climb every contender's ladder, then time the rungs that count, one contender after the other.

Seconds are of ``fit`` alone. A contender's time to a precision is the median time of the loosest rung of its ladder whose
objective, computed here, is within that precision of the best objective that anybody found. A rung that takes longer than the
limit is interrupted where that is possible, and none is tried that is expected to.
"""

import contextlib
import dataclasses
import gc
import signal
import statistics
import threading
import time
import warnings
from dataclasses import dataclass, field

import numpy as np

from benchmarks.contenders import OURS
from benchmarks.mathematics import objective, suboptimality

PRECISIONS = (1e-4, 1e-8)
WARM_UP_ROWS = 100
BATCH_SECONDS = 2.0  # a timing of several calls ends after that
SETTLING, MOST_ROUNDS = 5.0, 30  # for so many seconds rounds go on: a machine's speed changes by the second
FRONT = 2  # times the fastest peer's seconds: who takes longer is timed no more often than asked for


@dataclass
class Attempt:
    """One rung of a ladder.

    Attributes
    ----------
    setting : float, int or tuple
    seconds : list of float
        One a round.
    values : list of float
        Objectives: one of a fit, one a C of a grid search.
    suboptimality : float
        The worst of the values, relative to the best found by anybody.
    passes : float
    trace : list of [seconds, objective]
        The way down, if the contender tells.
    """

    setting: object
    seconds: list
    values: list
    suboptimality: float = np.nan
    passes: float = np.nan
    trace: list = field(default_factory=list)

    @property
    def time(self):
        """Median seconds."""
        return statistics.median(self.seconds)


@dataclass
class Outcome:
    """What a contender came to: its attempts, and a note where something ended them."""

    name: str
    attempts: list = field(default_factory=list)
    note: str = ""

    def reached(self, precision):
        """Return the loosest attempt within a precision, or None."""
        return next((attempt for attempt in self.attempts if attempt.suboptimality <= precision), None)

    @property
    def closest(self):
        """The smallest suboptimality of all attempts; inf of none."""
        return min((attempt.suboptimality for attempt in self.attempts), default=np.inf)


@dataclass
class Result:
    """A workload's outcomes, ours first."""

    name: str
    shape: tuple
    target: float
    named: tuple
    best: list
    pass_seconds: float
    outcomes: list

    @property
    def ours(self):
        """Our outcome."""
        return self.outcomes[0]

    def fastest(self, precision, names=None):
        """Return name and seconds of the fastest peer within a precision, or None."""
        reached = [(peer.name, peer.reached(precision)) for peer in self.outcomes[1:] if names is None or peer.name in names]
        times = [(attempt.time, name) for name, attempt in reached if attempt]
        return min(times)[::-1] if times else None

    def ratio(self, precision, names=None):
        """Time of the fastest peer over ours; nan where either did not get there."""
        fastest, ours = self.fastest(precision, names), self.ours.reached(precision)
        return fastest[1] / ours.time if fastest and ours else np.nan


class OverLimitError(Exception):
    """A fit was interrupted at the time limit."""


def measure(workload, problem, peers, repeats, limit, announce=lambda what: None, stride=1):
    """Run everybody who can on one workload, us first.

    Parameters
    ----------
    workload : Workload
    problem : Problem
    peers : list of Contender
    repeats : int
        Rounds, the climb being the first; more follow of whoever is in front, where these are short (1 stays 1).
    limit : float
        Seconds.
    announce : callable
        Told what comes next.
    stride : int
        Of every ladder, each stride-th rung is climbed.

    Returns
    -------
    Result
    """
    best = _reference(problem)
    climbers, outcomes = [], []
    for contender in [OURS, *peers]:
        announce(contender.name)
        outcome = Outcome(contender.name, note=_left_out(contender, problem))
        outcomes.append(outcome)
        if not outcome.note:
            with quietly():
                X = contender.data(problem)
                _warm_up(contender, problem)
                climb(contender, X, problem, workload.calls, limit, best, outcome, stride)
            climbers.append((contender, X, outcome))
    best = _best([best] + [attempt.values for outcome in outcomes for attempt in outcome.attempts])
    for outcome in outcomes:
        for attempt in outcome.attempts:
            attempt.suboptimality = suboptimality(attempt.values, best)
    announce("repeats")
    passes = [one_pass(problem)]
    for done in _further_rounds(repeats):
        if done == repeats:
            climbers = _front(climbers)
        passes.append(one_pass(problem))
        climbers.reverse()  # whoever comes first after a change of data or of BLAS is at a disadvantage: take turns
        for contender, X, outcome in climbers:
            again(contender, X, problem, workload.calls, limit, outcome)
    return Result(workload.name, problem.X.shape, workload.target, workload.named, list(best), min(passes), outcomes)


def _further_rounds(repeats):
    """Count the rounds after the first: those asked for, and then on for a while, if there is more than one."""
    yield from range(1, repeats)
    end = time.perf_counter() + SETTLING
    for done in range(repeats, MOST_ROUNDS if repeats > 1 else 1):
        if time.perf_counter() > end:
            return
        yield done


def _front(climbers):
    """Return those whose time matters: us, and who takes about as long as the fastest peer."""
    reached = [outcome.reached(PRECISIONS[-1]) for _, _, outcome in climbers]
    times = [attempt.time if attempt else np.inf for attempt in reached]
    ours = [contender is OURS for contender, _, _ in climbers]
    fastest = min((seconds for seconds, us in zip(times, ours, strict=True) if not us), default=np.inf)
    return [climber for climber, seconds, us in zip(climbers, times, ours, strict=True) if us or seconds <= FRONT * fastest]


def climb(contender, X, problem, calls, limit, best, outcome, stride=1):
    """Climb a contender's ladders until the tightest precision is reached; fills the outcome."""
    for ladder in contender.ladders(problem):
        outcome.note = _climb_one(contender, ladder[::stride], X, problem, calls, limit, best, outcome.attempts)
        if any(attempt.suboptimality <= PRECISIONS[-1] for attempt in outcome.attempts):
            return


def _climb_one(contender, ladder, X, problem, calls, limit, best, attempts):
    """Try settings from loose to tight, appending attempts; returns why it ended early, if it did."""
    seconds, before = 0.0, ladder[0]
    for setting in ladder:
        if contender.foreseen(seconds, before, setting) > limit:
            return f"over {limit:g} s, not tried more tightly"
        try:
            with time_limit(limit if contender.interruptible else np.inf):
                seconds, fitted = timed(contender, X, problem, setting, calls, limit)
            solutions = list(contender.solutions(X, problem, setting, fitted))
        except Exception as error:  # whatever a peer raises is its result
            interrupted = isinstance(error.__cause__ or error, OverLimitError)  # compiled code wraps what it lets through
            failed = f"failed: {type(error).__name__}: {error}".splitlines()[0][:120]
            return f"interrupted after {limit:g} s at {setting}" if interrupted else failed
        values = [objective(coef, intercept, problem, C) for C, coef, intercept in solutions]
        attempt = Attempt(setting, [seconds], values, suboptimality(values, best), contender.passes(fitted))
        attempt.trace = contender.trace(fitted)
        attempts.append(attempt)
        if attempt.suboptimality <= PRECISIONS[-1]:
            return ""
        before = setting
    return ""


def again(contender, X, problem, calls, limit, outcome):
    """Time the attempts that count once more, except those that take so long that noise is small beside them."""
    attempts = {id(attempt): attempt for attempt in map(outcome.reached, PRECISIONS) if attempt}
    for attempt in attempts.values():
        if attempt.seconds[0] < limit / 3:
            with quietly(), contextlib.suppress(Exception):
                attempt.seconds.append(timed(contender, X, problem, attempt.setting, calls, limit)[0])


def timed(contender, X, problem, setting, calls, limit):
    """Return the median seconds of some fits, and the last one fitted."""
    seconds = []
    gc.collect()  # or the next contender pays for this one's garbage: 30 ms after a just-in-time compiler
    while len(seconds) < calls and sum(seconds) <= min(BATCH_SECONDS, limit / 4):
        start = time.perf_counter()
        fitted = contender.fit(X, problem, setting)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), fitted


def one_pass(problem):
    """Return the seconds of ``X @ d`` and ``X.T @ r``, a column an output; the fastest of five."""
    d = np.ones((problem.X.shape[1], problem.n_outputs)).squeeze()
    r = np.ones((problem.X.shape[0], problem.n_outputs)).squeeze()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        _ = problem.X @ d, problem.X.T @ r
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@contextlib.contextmanager
def time_limit(seconds):
    """Raise OverLimitError; compiled code is interrupted once it returns to Python. Nothing happens where alarms lack."""
    if np.isinf(seconds) or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number, _frame):
        raise OverLimitError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def quietly():
    """Swallow warnings: the objective shows who did not converge."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _reference(problem):
    """Return the objectives of our tightest fits: what peers are first held against."""
    tight = OURS.reference
    single = dataclasses.replace(problem, grid=())
    Cs = problem.grid or (problem.C,)
    try:
        with quietly():
            fits = [OURS.coefficients(OURS.fit(problem.X, dataclasses.replace(single, C=C), tight)) for C in Cs]
    except Exception:  # it fails again on the ladder, where it is reported
        return np.full(len(Cs), np.nan)
    return np.array([objective(*fit, problem, C) for fit, C in zip(fits, Cs, strict=True)])


def _best(values):
    return np.fmin.reduce(np.array(values))


def _left_out(contender, problem):
    if contender.missing():
        return "left out: not installed (pip install 'sklearn-xent[bench]')"
    excuse = contender.excuse(problem)
    return f"left out: {excuse}" if excuse else ""


def _warm_up(contender, problem):
    """Let the contender import and compile what it needs, on a few rows and off the clock."""
    rows = np.random.default_rng(0).permutation(len(problem.y))[:WARM_UP_ROWS]
    few = dataclasses.replace(problem, X=problem.X[rows], y=problem.y[rows], grid=())
    with contextlib.suppress(Exception):  # if it fails on all rows too, that is reported
        contender.fit(contender.data(few), few, contender.ladders(few)[0][0])
