"""Results written down: Markdown for people, JSON for machines."""

import dataclasses
import json
import os
import platform
from importlib import metadata

import numpy as np
from threadpoolctl import threadpool_info

import sklearn_xent
from benchmarks.mathematics import geometric_mean
from benchmarks.measure import PRECISIONS

LOOSE, TIGHT = PRECISIONS
PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "glum",
    "skglm",
    "celer",
    "liblinear-official",
    "statsmodels",
)
ABSENT = "-"
LEGEND = """Seconds are medians of `fit` alone, at the loosest setting whose objective is within 1e-4 or 1e-8 (relative) of the
best found by anybody, all objectives computed here from coefficients. The ratio is the fastest peer's time over ours, at 1e-8;
the target names the peers that it is about. One pass is `X @ d` and `X.T @ r`, timed in this run."""


def markdown(results, conditions):
    """Return the whole report as Markdown.

    Parameters
    ----------
    results : list of Result
    conditions : dict
        What `conditions` returned.

    Returns
    -------
    str
    """
    parts = [
        "# Time to equal precision",
        "; ".join(f"{name} {value}" for name, value in conditions.items()),
        summary(results),
        verdict(results),
        LEGEND,
        *(f"## {result.name}\n\n{details(result)}" for result in results),
    ]
    return "\n\n".join(parts) + "\n"


def summary(results):
    """One line a workload."""
    heads = ["workload", "rows x columns", "s to 1e-4", "s to 1e-8", "passes", "/ one pass", "fastest peer", "its s", "ratio"]
    return table([*heads, "ratio at 1e-4", "target", "met"], [_summary_row(result) for result in results])


def _summary_row(result):
    loose, tight = result.ours.reached(LOOSE), result.ours.reached(TIGHT)
    name, seconds = result.fastest(TIGHT) or (ABSENT, None)
    met = result.ratio(TIGHT, result.named)
    return [
        result.name,
        " x ".join(f"{size:,}" for size in result.shape),
        number(loose and loose.time),
        number(tight and tight.time),
        number(tight and tight.passes),
        number(tight and tight.time / result.pass_seconds),
        name,
        number(seconds),
        number(result.ratio(TIGHT)),
        number(result.ratio(LOOSE)),
        f"{result.target:g} ({', '.join(result.named)})",
        ABSENT if np.isnan(met) else f"yes, {met:.1f}" if met >= result.target else f"no, {met:.1f}",
    ]


def details(result):
    """One line a contender."""
    heads = ["", "s to 1e-4", "at", "s to 1e-8", "at", "times ours", "/ one pass", "closest", "note"]
    lines = table(heads, [_detail_row(result, outcome) for outcome in result.outcomes])
    return f"One pass: {1e3 * result.pass_seconds:.3g} ms.\n\n{lines}"


def _detail_row(result, outcome):
    loose, tight, ours = outcome.reached(LOOSE), outcome.reached(TIGHT), result.ours.reached(TIGHT)
    return [
        outcome.name,
        number(loose and loose.time),
        setting(loose),
        number(tight and tight.time),
        setting(tight),
        number(tight and ours and tight.time / ours.time),
        number(tight and tight.time / result.pass_seconds),
        f"{outcome.closest:.0e}" if outcome.attempts else ABSENT,
        outcome.note.replace("|", "/"),
    ]


def verdict(results):
    """Return the geometric mean and the minimum of the ratios, and how many targets are met."""
    ratios = {result.name: result.ratio(TIGHT) for result in results}
    known = {name: ratio for name, ratio in ratios.items() if not np.isnan(ratio)}
    against = [(result.ratio(TIGHT, result.named), result.target) for result in results]
    met = sum(ratio >= target for ratio, target in against)
    if not known:
        return "No peer reached 1e-8 on any workload."
    least = min(known, key=known.get)
    mean = geometric_mean(list(known.values()))
    return (
        f"Ratio at 1e-8 to the fastest peer: geometric mean {mean:.2f}, minimum {known[least]:.2f} ({least}). "
        f"Targets met: {met} of {len(results)}."
    )


def table(heads, rows):
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value):
    """Three digits, or a dash for what is not there."""
    return ABSENT if value is None or np.isnan(value) else f"{value:.3g}"


def setting(attempt):
    """Return what an attempt was asked for: a tolerance, epochs, or tolerance and intercept scaling."""
    return " / ".join(f"{part:g}" for part in np.atleast_1d(attempt.setting)) if attempt else ABSENT


def conditions(repeats, limit, stride=1):
    """Return what a reader needs to repeat the run: versions, cores, repeats."""
    versions = {"Python": platform.python_version(), "sklearn-xent": sklearn_xent.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    blas = {f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info() if pool["user_api"] == "blas"}
    return versions | {
        "BLAS": ", ".join(sorted(blas)),
        "cores": os.cpu_count(),
        "repeats": repeats,
        "limit": f"{limit:g} s",
        "stride": stride,
    }


def as_json(results, conditions):
    """Return everything measured as JSON text."""
    return (
        json.dumps({"conditions": conditions, "results": [_plain(result) for result in results]}, indent=1, allow_nan=False)
        + "\n"
    )


def _plain(result):
    plain = dataclasses.asdict(result)
    for precision in PRECISIONS:
        plain[f"ratio_at_{precision:g}"] = result.ratio(precision)
    for outcome, source in zip(plain["outcomes"], result.outcomes, strict=True):
        for precision in PRECISIONS:
            attempt = source.reached(precision)
            outcome[f"seconds_to_{precision:g}"] = attempt.time if attempt else None
    return _without_nan(plain)


def _without_nan(plain):
    """JSON has no nan."""
    if isinstance(plain, dict):
        return {key: _without_nan(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_without_nan(value) for value in plain]
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
