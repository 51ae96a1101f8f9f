"""BLAS threads where they pay.

NumPy and SciPy ship a BLAS each. On small problems their two thread pools spend more time waiting for one another
than computing (digits by L-BFGS: 4.3 s with two threads each, 0.8 s with one).
"""

import threading
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

WORTH_THREADS = 2_000_000  # multiplications in one read of the data

_lock = threading.Lock()
_users = 0
_limit = None


@cache
def _controller():
    return ThreadpoolController()


@contextmanager
def blas_threads(work):
    """Hold BLAS to one thread while a small problem is solved.

    Limits belong to the process, so fits in several threads share one: the first sets it, the last restores it.

    Parameters
    ----------
    work : int
        Multiplications in one read of the data.
    """
    if work >= WORTH_THREADS:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter():
    global _users, _limit
    with _lock:
        _users += 1
        if _users == 1:
            _limit = _controller().limit(limits=1, user_api="blas")


def _leave():
    global _users, _limit
    with _lock:
        _users -= 1
        if _users == 0:
            _limit.restore_original_limits()
            _limit = None
