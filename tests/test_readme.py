"""The README's promises: its Python runs, its shell blocks are there in order, its tables name what exists."""

import inspect
import pathlib
import re

from sklearn.datasets import load_breast_cancer

from benchmarks.workloads import WORKLOADS
from sklearn_xent import CrossEntropyClassifier
from sklearn_xent.solvers import SOLVERS

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)


def test_python_blocks_run(capsys):
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "converged" in capsys.readouterr().out


def test_the_first_two_shell_blocks_are_the_two_commands():
    run, test = blocks("sh")[:2]
    assert "-m venv" in run
    assert run.rstrip().endswith("-m sklearn_xent")
    assert "-m venv" in test
    assert "-m pytest" in test


def test_the_parameter_table_is_the_signature():
    table = README.split("## Parameters")[1].split("After `fit`")[0]
    documented = re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| `")))
    assert documented == list(inspect.signature(CrossEntropyClassifier).parameters)


def test_the_table_of_times_has_every_workload():
    named = re.findall(r"^\| ([^|]+) \| [\d,]+ × [\d,]+ \|", README, re.M)
    assert named == [workload.name for workload in WORKLOADS]


def test_the_solver_table_is_the_registry():
    assert set(re.findall(r'^\| `"([\w-]+)"` \|', README, re.M)) == set(SOLVERS)


def test_the_summary_shown_is_the_summary_printed():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    printed = str(CrossEntropyClassifier(C=0.1, class_weight="balanced").fit(X, y).summary(n_coefficients=3))
    (shown,) = re.findall(r"^```text\n(CrossEntropyClassifier\n=.*?)\n```", README, re.M | re.S)
    differing = [line for line, other in zip(shown.splitlines(), printed.splitlines(), strict=True) if line != other]
    assert all(line.startswith("optimality gap") for line in differing), differing  # its last digits are rounding
