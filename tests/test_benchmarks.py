"""The benchmark's own mathematics, workloads and report; times are never asserted."""

import json

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from benchmarks import costs, report
from benchmarks import measure as measure_module
from benchmarks.__main__ import arguments, disagreements, main, poor_choices
from benchmarks.contenders import OURS, SINGLES, Contender
from benchmarks.mathematics import geometric_mean, lambda_max, objective, suboptimality
from benchmarks.measure import Attempt, Outcome, OverLimitError, Result, climb, measure, one_pass, time_limit
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS, Problem
from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS


def iris_problem(task, C=0.5, l1_ratio=0.0, **others):
    X, y = load_iris(return_X_y=True)
    return Problem(X, (y > 0).astype(int) if task == "binary" else y, task, C, l1_ratio, **others)


def named(name):
    return next(workload for workload in WORKLOADS if workload.name == name)


@pytest.mark.parametrize(("task", "l1_ratio"), [("binary", 0.0), ("binary", 1.0), ("multinomial", 0.0)])
def test_the_objective_is_log_loss_plus_penalty(task, l1_ratio):
    problem = iris_problem(task, l1_ratio=l1_ratio)
    model = LogisticRegression(max_iter=1000).fit(problem.X, problem.y)
    penalty = np.abs(model.coef_).sum() if l1_ratio else np.sum(model.coef_**2) / 2
    expected = log_loss(problem.y, model.predict_proba(problem.X)) + penalty / (0.5 * len(problem.y))
    assert objective(model.coef_, model.intercept_, problem) == pytest.approx(expected, rel=1e-12)


def test_the_objective_of_one_vs_rest_is_the_sum_of_its_tasks():
    problem = iris_problem("ovr")
    rng = np.random.default_rng(0)
    coef, intercept = rng.standard_normal((3, 4)), rng.standard_normal(3)
    tasks = [
        objective(coef[k : k + 1], intercept[k : k + 1], Problem(problem.X, problem.y == k, "binary", 0.5, 0.0))
        for k in range(3)
    ]
    assert objective(coef, intercept, problem) == pytest.approx(sum(tasks), rel=1e-12)


def test_the_objective_reads_blocks_and_sparse_rows_alike(monkeypatch):
    problem = iris_problem("multinomial")
    coef, intercept = np.ones((3, 4)) * [[1], [2], [3]], np.arange(3.0)
    whole = objective(coef, intercept, problem)
    monkeypatch.setattr("benchmarks.mathematics.BLOCK", 7)
    problem.X = sparse.csr_matrix(problem.X)
    assert objective(coef, intercept, problem) == pytest.approx(whole, rel=1e-13)


def test_suboptimality_is_that_of_the_worst_value():
    assert suboptimality([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
    assert suboptimality([0.5], [0.5]) == 0


def test_geometric_mean():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4)
    assert np.isnan(geometric_mean([]))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_lambda_max_is_where_the_first_coefficient_appears(fit_intercept):
    problem = iris_problem("binary")
    edge = lambda_max(problem.X, problem.y, fit_intercept)
    for factor, expected in ((1.001, 0), (0.9, 1)):
        C = 1 / (factor * edge * len(problem.y))
        classifier = CrossEntropyClassifier(C=C, l1_ratio=1.0, fit_intercept=fit_intercept).fit(problem.X, problem.y)
        assert np.count_nonzero(classifier.coef_) == expected


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_workloads_have_the_shape_task_and_penalty_that_they_name(workload):
    problem = workload.problem(quick=True)
    assert problem.X.shape == workload.quick
    assert problem.penalty in workload.name or "ridge" not in workload.name + "lasso"
    assert set(workload.named) <= {peer.name for peer in PEERS}
    assert problem.n_outputs == (1 if workload.task == "binary" else len(np.unique(problem.y)))
    assert all(any(peer.name == name and not peer.excuse(problem) for peer in PEERS) for name in runnable(workload))


def runnable(workload):
    """Every solver is named for the small workloads, also where it has no such task."""
    return [name for name in workload.named if not (name == "liblinear" and workload.task == "multinomial")]


def test_words_are_zipf_distributed_and_tell_the_label():
    problem = named("sparse text-like ridge, C=1").problem(quick=True)
    counts = np.sort(np.asarray(problem.X.sum(axis=0)).ravel())[::-1]
    assert counts[0] > 5 * counts[20] > 10 * counts[300]
    assert 10 < problem.X.nnz / len(problem.y) < 14
    assert CrossEntropyClassifier(C=0.1).fit(problem.X, problem.y).score(problem.X, problem.y) > 0.75


@pytest.mark.parametrize(("settling", "rounds"), [(0.0, {1: 0, 3: 2, 50: 49}), (np.inf, {1: 0, 3: 29, 50: 49})])
def test_rounds_go_on_where_they_are_short(settling, rounds, monkeypatch):
    monkeypatch.setattr(measure_module, "SETTLING", settling)
    assert {repeats: len(list(measure_module._further_rounds(repeats))) for repeats in rounds} == rounds


def test_more_rounds_are_of_whoever_is_in_front():
    peers = [Outcome(name, [Attempt(1e-4, [seconds], [], 0.0)]) for name, seconds in (("a", 1.0), ("b", 1.5), ("c", 5.0))]
    ours, failed = Outcome("ours", [Attempt(1e-4, [9.0], [], 0.0)]), Outcome("d", [Attempt(1e-4, [0.1], [], 1.0)])
    climbers = [(None, None, outcome) for outcome in (*peers, failed)] + [(OURS, None, ours)]
    assert [outcome.name for _, _, outcome in measure_module._front(climbers)] == ["a", "b", "ours"]
    assert len(measure_module._front(climbers[-1:])) == 1


def test_our_fits_are_measured_from_end_to_end(monkeypatch):
    monkeypatch.setattr(measure_module, "SETTLING", 0.1)
    peers = [peer for peer in PEERS if peer.name in ("newton-cholesky", "celer")]
    workload = named("small: iris")
    result = measure(workload, workload.problem(quick=True), peers, repeats=2, limit=1.0)
    assert result.ours.reached(1e-8).passes > 0
    assert result.ours.reached(1e-8).trace
    assert len(result.ours.reached(1e-8).seconds) >= 2
    assert result.fastest(1e-8)[0] == "newton-cholesky"
    assert result.outcomes[-1].note.startswith("left out")
    assert not disagreements([result])


def test_a_grid_search_is_precise_where_every_fit_of_it_is():
    workload = named("grid search: breast cancer, scaled")
    result = measure(workload, workload.problem(quick=True), [], repeats=1, limit=10.0)
    assert len(result.best) == len(result.ours.attempts[0].values) == 5
    assert result.ours.reached(1e-8)


def test_single_solvers_are_held_against_auto():
    workload = named("small: iris")
    result = measure(workload, workload.problem(quick=True), SINGLES, repeats=1, limit=1)
    assert {outcome.name for outcome in result.outcomes[1:]} == set(SOLVERS) - {"auto"}
    assert result.outcomes[1].reached(1e-8)
    result.ours.attempts = [Attempt(1e-4, [100.0], result.ours.attempts[-1].values, 0.0)]
    assert poor_choices([result])[0].startswith("small: iris: auto took 100 s")
    result.ours.attempts[0].seconds = [1e-9]
    assert not poor_choices([result])


def test_a_peer_that_raises_is_reported():
    class Broken(Contender):
        def fit(self, X, problem, setting):
            raise RuntimeError("no luck\nat all")

    outcome = Outcome("broken")
    climb(Broken(), None, iris_problem("binary"), 1, 1.0, np.array([1.0]), outcome)
    assert outcome.note == "failed: RuntimeError: no luck"
    assert not outcome.attempts


class Counting(Contender):
    """Notes what is asked of it; never precise."""

    ladder = (1, 2, 4, 8, 16)

    def __init__(self, seconds):
        self.asked, self.seconds = [], seconds

    def fit(self, X, problem, setting):
        self.asked.append(setting)
        return [(np.zeros(4), 0.0)]

    def foreseen(self, seconds, setting, tighter):
        return self.seconds * tighter


@pytest.mark.parametrize(
    ("limit", "stride", "asked", "note"),
    [
        (100.0, 1, [1, 2, 4, 8, 16], ""),
        (100.0, 3, [1, 8], ""),
        (4.0, 1, [1, 2, 4], "over 4 s, not tried more tightly"),
        (4.0, 2, [1, 4], "over 4 s, not tried more tightly"),
    ],
)
def test_ladders_are_climbed_by_strides_and_up_to_what_is_sure_to_take_too_long(limit, stride, asked, note):
    counting, outcome = Counting(1.0), Outcome("counting")
    climb(counting, None, iris_problem("binary"), 1, limit, np.array([0.1]), outcome, stride)
    assert counting.asked == [attempt.setting for attempt in outcome.attempts] == asked
    assert outcome.note == note


def test_saga_foresees_its_epochs_and_tolerances_take_at_least_as_long():
    saga, lbfgs = (next(peer for peer in PEERS if peer.name == name) for name in ("saga", "lbfgs"))
    assert saga.foreseen(0.2, 30, 300) == pytest.approx(2.0)
    assert lbfgs.foreseen(0.2, 1e-4, 1e-6) == 0.2


def test_a_limit_interrupts():
    def spin():
        while True:
            pass

    with time_limit(0.01), pytest.raises(OverLimitError):
        spin()


def test_one_pass_takes_time():
    assert one_pass(iris_problem("multinomial")) > 0


def made_up():
    def attempt(setting, seconds, excess):
        return Attempt(setting, [seconds], [0.5 * (1 + excess)], excess, passes=9.0)

    ours = Outcome("ours", [attempt(1e-4, 0.1, 1e-6), attempt(1e-8, 0.2, 0.0)])
    slow = Outcome("slow", [attempt(1e-2, 0.3, 1e-5), attempt(1e-6, 1.0, 1e-9)])
    far = Outcome("far", [attempt((0.1, 100.0), 0.1, 1e-2)], "over 1 s, not tried more tightly")
    return Result("made up", (10, 3), 4, ("slow",), [0.5], 0.01, [ours, slow, far])


def test_ratios_come_from_the_loosest_precise_setting():
    result = made_up()
    assert result.fastest(1e-8) == ("slow", 1.0)
    assert result.ratio(1e-8) == pytest.approx(5)
    assert result.ratio(1e-4) == pytest.approx(3)
    assert np.isnan(result.ratio(1e-8, names=("far",)))


def test_markdown_tells_ratio_target_and_passes():
    text = report.markdown([made_up()], {"Python": "3"})
    row = next(line for line in text.splitlines() if line.startswith("| made up"))
    assert row == "| made up | 10 x 3 | 0.1 | 0.2 | 9 | 20 | slow | 1 | 5 | 3 | 4 (slow) | yes, 5.0 |"
    assert "geometric mean 5.00, minimum 5.00 (made up). Targets met: 1 of 1." in text
    assert "| far | - | - | - | - | - | - | 1e-02 | over 1 s, not tried more tightly |" in text
    assert report.verdict([]).startswith("No peer")


def test_json_has_every_time():
    plain = json.loads(report.as_json([made_up()], report.conditions(3, 60)))
    assert plain["results"][0]["ratio_at_1e-08"] == pytest.approx(5)
    assert plain["results"][0]["outcomes"][2]["seconds_to_1e-08"] is None
    assert plain["conditions"]["repeats"] == 3


def test_quick_does_not_complain_of_a_slow_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.__main__.PATIENCE", 1e6)
    assert main(["--quick", "--only", "small: iris", "--limit", "1e-6", "--output", str(tmp_path)]) == 0
    for folder, solved in ((tmp_path, False), (tmp_path / "again", True)):  # at first nobody had time
        (result,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["results"]
        assert any(outcome["seconds_to_0.0001"] for outcome in result["outcomes"][1:]) == solved


def test_quick_complains_where_we_are_not_at_the_optimum_or_nobody_agrees():
    result = made_up()
    assert not disagreements([result])
    result.outcomes[0].attempts[-1].suboptimality = 1e-7
    result.outcomes[1].attempts.clear()
    assert len(disagreements([result])) == 2


def test_a_plot_is_drawn(tmp_path):
    plots = pytest.importorskip("benchmarks.plots")
    plots.draw(made_up(), tmp_path / plots.file_name("made up, C=1"))
    assert (tmp_path / "made-up-c-1.png").stat().st_size > 5000


def test_the_command_line(capsys):
    assert arguments(["--quick"]).repeats == 1
    assert arguments(["--quick"]).stride > arguments([]).stride == 1
    with pytest.raises(SystemExit):
        arguments(["--stride", "0"])
    assert arguments(["--only", "a", "--only", "b", "--limit", "5"]).only == ["a", "b"]
    assert main(["--list", "--only", "small"]) == 0
    assert capsys.readouterr().out.splitlines() == ["small: iris", "small: breast cancer", "small: wine"]
    assert main(["--only", "nothing of this name"]) == 2


def test_every_contender_says_what_it_cannot_do():
    problem = iris_problem("multinomial", l1_ratio=1.0)
    assert not OURS.excuse(problem)
    assert [peer.name for peer in PEERS if not peer.excuse(problem)] == ["saga"]


def test_the_table_of_certificates_has_a_line_a_workload():
    lines = costs.certificates(quick=True, repeats=1).splitlines()
    assert len(lines) == 2 + len(costs.TALL)
    shares = [float(line.split("|")[-2].strip(" %")) for line in lines[2:]]
    assert all(0 < share < 50 for share in shares)


def test_the_table_of_costs_has_a_line_a_shape():
    shapes = [(500, 5, None, 2, "ovr"), (300, 4, None, 3, "multinomial"), (300, 30, 3, 2, "ovr")]
    lines = costs.table(shapes).splitlines()
    assert len(lines) == 5
    assert "500 x 5, 2 ovr" in lines[2]
    assert "300 x 30 (3 stored), 2 ovr" in lines[4]
    assert all(len(line.split("|")) == 9 for line in lines)
