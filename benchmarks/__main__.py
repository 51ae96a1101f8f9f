"""The command line: ``python -m benchmarks``."""

import argparse
import pathlib
import sys

from benchmarks import costs, report
from benchmarks.contenders import SINGLES
from benchmarks.measure import PRECISIONS, measure
from benchmarks.peers import PEERS
from benchmarks.progress import Progress
from benchmarks.workloads import WORKLOADS

LOOSE, TIGHT = PRECISIONS
NEAR = 1.3  # auto may take that many times as long as the best single solver
RESULTS = pathlib.Path(__file__).parent / "results"
FULL = {"repeats": 3, "limit": 60.0, "stride": 1}
QUICK = {"repeats": 1, "limit": 0.5, "stride": 3}
PATIENCE = 20  # times that limit, where a slow moment of the machine may have cut everybody off


def arguments(given=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time to equal precision, against every peer.")
    parser.add_argument("--only", action="append", metavar="TEXT", help="workloads whose name contains TEXT; may be repeated")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes, one repeat, every third rung; checks that everybody agrees on the optimum",
    )
    parser.add_argument(
        "--repeats", type=int, help=f"timings a contender (default: {FULL['repeats']}, quick: {QUICK['repeats']})"
    )
    parser.add_argument("--limit", type=float, help=f"seconds a fit (default: {FULL['limit']:g}, quick: {QUICK['limit']:g})")
    parser.add_argument(
        "--stride",
        type=int,
        metavar="N",
        help=f"climb every Nth rung of a ladder (default: {FULL['stride']}, quick: {QUICK['stride']})",
    )
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, metavar="DIR", help="where tables, JSON and plots go")
    parser.add_argument(
        "--solvers", action="store_true", help="against our single solvers: complains where auto is not near the fastest"
    )
    parser.add_argument(
        "--costs", action="store_true", help="print the model of costs beside the clock, what certificates cost, and stop"
    )
    parser.add_argument("--list", action="store_true", help="name the workloads and stop")
    options = parser.parse_args(given)
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.stride < 1:
        parser.error(f"--stride must be at least 1; got {options.stride}.")
    return options


def main(given=None):
    """Run what is asked for; returns the exit code."""
    options = arguments(given)
    if options.costs:
        print(f"{costs.table()}\n\n{costs.certificates()}")
        return 0
    chosen = [w for w in WORKLOADS if not options.only or any(text in w.name for text in options.only)]
    if options.list or not chosen:
        print("\n".join(workload.name for workload in (chosen or WORKLOADS)))
        return 0 if options.list else 2
    options.output.mkdir(parents=True, exist_ok=True)
    conditions = report.conditions(options.repeats, options.limit, options.stride)
    results = run(chosen, options, conditions)
    print(
        report.markdown(results, conditions) if len(results) == 1 else f"{report.summary(results)}\n\n{report.verdict(results)}"
    )
    complaints = poor_choices(results) if options.solvers else confirmed(results, chosen, options) if options.quick else []
    print("\n".join(complaints) or f"\nwrote {options.output}")
    return 1 if complaints else 0


def run(chosen, options, conditions):
    """Measure the workloads one after the other; what is finished is written before the next begins."""
    results, progress = [], Progress(len(chosen))
    for workload in chosen:
        progress.step(workload.name)
        problem = workload.problem(options.quick)
        peers = SINGLES if options.solvers else PEERS
        result = measure(
            workload,
            problem,
            peers,
            options.repeats,
            options.limit,
            lambda who, what=workload.name: progress.step(what, who),
            options.stride,
        )
        results.append(result)
        write(results, conditions, options.output)
        progress.finish(line(result))
    progress.close()
    return results


def confirmed(results, chosen, options):
    """Return the disagreements that are left where time is no matter: workloads that have any are solved once more."""
    doubtful = [workload for workload, result in zip(chosen, results, strict=True) if disagreements([result])]
    if not doubtful:
        return []
    patience = {"limit": PATIENCE * options.limit, "stride": 1, "output": options.output / "again"}
    patient = argparse.Namespace(**vars(options) | patience)
    patient.output.mkdir(exist_ok=True)
    return disagreements(run(doubtful, patient, report.conditions(patient.repeats, patient.limit)))


def write(results, conditions, folder):
    """Write table and JSON of all results, and the last one's plot."""
    (folder / "table.md").write_text(report.markdown(results, conditions), encoding="utf-8")
    (folder / "results.json").write_text(report.as_json(results, conditions), encoding="utf-8")
    try:
        from benchmarks import plots

        plots.draw(results[-1], folder / plots.file_name(results[-1].name))
    except ImportError:
        print("no plots without matplotlib: pip install 'sklearn-xent[bench]'", file=sys.stderr)


def line(result):
    """One workload in one line."""
    ours, fastest = result.ours.reached(TIGHT), result.fastest(TIGHT)
    mine = f"{ours.time:.3g} s" if ours else result.ours.note or f"closest {result.ours.closest:.0e}"
    theirs = f"{fastest[0]} {fastest[1]:.3g} s, ratio {result.ratio(TIGHT):.2f}" if fastest else "no peer got there"
    return f"  {result.name}: ours {mine}; {theirs} (target {result.target:g})"


def disagreements(results):
    """Return a sentence for every workload on which we are not within 1e-8 of the best, or no peer is near us."""
    sentences = []
    for result in results:
        if not result.ours.reached(TIGHT):
            sentences.append(
                f"{result.name}: ours ended {result.ours.closest:.1e} above the best objective found. {result.ours.note}"
            )
        if any(outcome.attempts for outcome in result.outcomes[1:]) and not result.fastest(LOOSE):
            sentences.append(f"{result.name}: no peer agrees with the best objective to {LOOSE:g}.")
    return sentences


def poor_choices(results):
    """Return a sentence for every workload on which a single solver is faster than auto by more than a factor NEAR."""
    sentences = []
    for result in results:
        if result.ratio(TIGHT) < 1 / NEAR:
            name, seconds = result.fastest(TIGHT)
            sentences.append(f"{result.name}: auto took {result.ours.reached(TIGHT).time:.3g} s, {name} {seconds:.3g} s.")
    return sentences


if __name__ == "__main__":
    sys.exit(main())
