"""No test is timed by Hypothesis, processes that test at once share the cores; what randomised tests counted ends the run."""

import os
from collections import Counter

import joblib
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

settings.register_profile("untimed", deadline=None)  # machines pause; what takes how long is for the benchmarks
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def share_of_the_cores():
    """Hold BLAS, and with it the package, to this process's share: threads that wait for a core spin, a third of the time."""
    n_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    share = max(1, joblib.cpu_count() // n_processes) if n_processes > 1 else None  # one alone has what the environment says
    with threadpool_limits(share):
        yield


@pytest.fixture
def two_threads():
    """Two threads, whatever the machine has and whoever else is testing."""
    with threadpool_limits(2):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Take down what a module's `COUNTED` counted in a test."""
    counted = getattr(getattr(item, "module", None), "COUNTED", {})
    counted.clear()
    result = yield
    item.user_properties += counted.items()
    return result


def pytest_terminal_summary(terminalreporter):
    counts = Counter()
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call":
            counts.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    if counts:
        terminalreporter.section("counted")
        for name, value in counts.items():
            terminalreporter.write_line(f"{value:,} {name}")
