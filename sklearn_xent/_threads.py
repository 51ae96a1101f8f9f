"""Threads where they pay: a share of the row blocks to each, BLAS held to one.

Measured on two cores: a BLAS that splits the Gram product of a tall, narrow block gains nothing, while two threads with
blocks of their own take half the time; and idle BLAS workers keep spinning beside whatever runs next (NumPy and
SciPy ship a pool each: digits by L-BFGS took 4.3 s with two threads in both, 0.8 s with one).

The size of the team is the number of threads that BLAS had, so that `threadpoolctl`, `joblib` and the environment decide
as everywhere else.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import pairwise

from threadpoolctl import ThreadpoolController

WORTH_THREADS = 2_000_000  # multiplications in one read of the data

_team_size = ContextVar("team_size", default=1)


class _SingleThreadedBLAS:
    """BLAS held to one thread. Limits belong to the process: the first to enter sets them, the last to leave restores them."""

    def __init__(self):
        self.lock, self.users = threading.Lock(), 0
        self.had, self.limit = 1, None

    def __enter__(self):
        with self.lock:
            self.users += 1
            if self.users == 1:
                self.had = max((library["num_threads"] for library in _blas().info()), default=1)
                self.limit = _blas().limit(limits=1)
            return self.had

    def __exit__(self, *_):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.limit.restore_original_limits()


_single_threaded_blas = _SingleThreadedBLAS()


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def team(work):
    """Solve a problem in this context: `in_threads` has as many threads as pay.

    Parameters
    ----------
    work : int
        Multiplications in one read of the data.
    """
    with _single_threaded_blas as available:
        token = _team_size.set(available if work >= WORTH_THREADS else 1)
        try:
            yield
        finally:
            _team_size.reset(token)


def in_threads(function, items):
    """Apply `function` to consecutive parts of the list `items`, one part a thread of the team.

    Parameters
    ----------
    function : callable
        Takes a list; releases the interpreter's lock in what it does.
    items : list

    Returns
    -------
    list
        What the calls returned, in order.
    """
    n_threads = min(_team_size.get(), len(items))
    if n_threads <= 1:
        return [function(items)]
    bounds = [len(items) * k // n_threads for k in range(n_threads + 1)]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, [items[start:stop] for start, stop in pairwise(bounds)]))
