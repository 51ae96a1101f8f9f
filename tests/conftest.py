"""No test is timed by Hypothesis; what the randomised tests counted is printed at the end of the run."""

from collections import Counter

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # machines pause; what takes how long is for the benchmarks
settings.load_profile("untimed")


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
