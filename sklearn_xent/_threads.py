"""Threads where they pay: a share of the row blocks to each, BLAS held to one.

Measured on two cores: a BLAS that splits the Gram product of a tall, narrow block gains nothing, while two threads with
blocks of their own take half the time; and idle BLAS workers keep spinning beside whatever runs next (NumPy and
SciPy ship a pool each: digits by L-BFGS took 4.3 s with two threads in both, 0.8 s with one).

The size of the team is the number of threads that BLAS had, so that `threadpoolctl`, `joblib` and the environment decide
as everywhere else.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
from threadpoolctl import ThreadpoolController

BLOCK_ELEMENTS = 2**16  # half a MiB of float64: a block and what is made of it stay in a level-2 cache
WORTH_THREADS = 100_000  # nanoseconds: several times what handing work over costs
SUM = 0.2  # nanoseconds: two numbers are read, their sum is written
WORTH_LIMITS = 50_000  # multiplications in one read of the data, below which no BLAS would start a thread for one
THREADED_ORDER = 128  # of matrices, from which on LAPACK starts threads to factor them, whatever the data

_threads = ContextVar("threads", default=(None, 1))  # a pool, and how many threads with the one that uses it
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _threads.set((None, 1)))  # who is forked has none of its parent's threads


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
            return max(1, self.had // self.users)  # who comes first keeps what there is, who comes second takes half

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
def team(work, order=1):
    """Solve a problem in this context: `in_threads` has as many threads as BLAS had.

    Parameters
    ----------
    work : int
        Multiplications in one read of the data.
    order : int
        Of the largest matrix that may be factored. Where both are small, nothing is changed.
    """
    little = work < WORTH_LIMITS and order < THREADED_ORDER
    if little or _threads.get()[0] is not None:  # or a team is there already
        yield
        return
    with _single_threaded_blas as available, ThreadPoolExecutor(max(1, available - 1)) as pool:
        token = _threads.set((pool, available))
        try:
            yield
        finally:
            _threads.reset(token)


def team_for(design, n_outputs):
    """Return the `team` for a fit of so many outputs: largest are a read of the data and a Hessian with intercepts."""
    return team(design.size * n_outputs, (design.shape[1] + 1) * n_outputs)


@lru_cache(maxsize=64)
def row_blocks(n_rows, width, elements=BLOCK_ELEMENTS):
    """Return slices of as many consecutive rows of `width` numbers each: one, or several of `elements` (or 16 rows) at most."""
    pairs = -(-n_rows // (2 * max(16, elements // max(width, 1))))
    step = max(-(-n_rows // (2 * pairs)), 1) if n_rows * width > elements else n_rows
    return tuple(slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def in_threads(function, items, nanoseconds=np.inf):
    """Apply `function` to consecutive parts of the list `items`, one part a thread of the team.

    Parameters
    ----------
    function : callable
        Takes a list; releases the interpreter's lock in what it does.
    items : list
    nanoseconds : float, default=inf
        What it takes, about, as measured for `_costs`: little work stays in this thread. inf: several items are never little.

    Returns
    -------
    list
        What the calls returned, in order.
    """
    pool, available = _threads.get()
    n_threads = min(available, len(items)) if nanoseconds >= WORTH_THREADS else 1
    if n_threads <= 1:
        return [function(items)]
    bounds = [len(items) * k // n_threads for k in range(n_threads + 1)]
    own, *others = [items[start:stop] for start, stop in pairwise(bounds)]
    waiting = [pool.submit(_under, np.geterr(), function, part) for part in others]
    return [function(own), *(future.result() for future in waiting)]


def _under(settings, function, part):
    """Apply a function under the caller's settings of what overflow and its like are: threads have their own."""
    with np.errstate(**settings):
        return function(part)
