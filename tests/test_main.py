"""The main job: one table, true figures, a plot."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_xent import __main__ as main_job
from sklearn_xent.solvers import SOLVERS


@pytest.fixture(scope="module")
def rows():
    return main_job.compare("iris")


def test_everything_is_in_the_table(rows):
    ours = {(row.name, row.task, row.penalty) for row in rows}
    for solver in SOLVERS:
        for task in ("ovr", "multinomial"):
            for penalty in ("ridge", "lasso"):
                assert (solver, task, penalty) in ours
    assert {"LogisticRegression", "LR newton-cholesky", "OneVsRest(LR)"} <= {row.name for row in rows}


def test_second_order_solvers_and_newton_cholesky_agree_to_nine_digits(rows):
    for task in ("ovr", "multinomial"):
        exact = {"auto", "newton", "newton-cg", "LR newton-cholesky", "OneVsRest(LR n-chol.)"}
        values = [row.objective for row in rows if row.task == task and row.penalty == "ridge" and row.name in exact]
        assert len(values) == 4
        assert np.ptp(values) <= 1e-9 * min(values)


def test_figures_are_those_of_the_fits(rows):
    for row in rows:
        assert 0 <= row.accuracy <= 1
        assert np.isfinite(row.log_loss)
        if row.history is not None:
            assert row.objective == pytest.approx(row.history["objective"][-1], rel=1e-9)
            assert row.zeros == np.sum(row.classifier.coef_ == 0)


@pytest.mark.parametrize("data", ["iris", "breast-cancer"])
def test_plot_and_command_line(data, tmp_path, capsys):
    path = tmp_path / "plot.png"
    main_job.main(["--data", data, "--plot", str(path)])
    assert path.stat().st_size > 10_000
    table = capsys.readouterr().out
    assert table.splitlines()[0].startswith(f"{data}: ")
    assert "newton-cg" in table
    with pytest.raises(SystemExit):
        main_job.main(["--data", "mnist"])


def test_a_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-xent\[plot\]'"):
        main_job.main(["--data", "iris", "--plot", "x.png"])


def test_the_progress_bar_is_for_terminals_only(capsys):
    class Terminal:
        def __init__(self, tty):
            self.tty, self.text = tty, ""

        def isatty(self):
            return self.tty

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    shown = {}
    for tty in (True, False):
        stream = Terminal(tty)
        progress = main_job.Progress(2, stream)
        progress.show("newton")
        progress.show("lbfgs")
        progress.close()
        shown[tty] = stream.text
    assert "1/2 lbfgs" in shown[True]
    assert shown[False] == ""


def test_the_objective_is_scikit_learn_s():
    X, y = load_iris(return_X_y=True)
    coef, intercept = np.arange(12.0).reshape(3, 4) / 10, np.array([1.0, 0.0, -1.0])
    Z = X @ coef.T + intercept
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    expected = (-log_p[np.arange(150), y].sum() + 0.5 * np.sum(coef**2)) / 150
    assert main_job.objective(coef, intercept, X, y, "multinomial", 0.0) == pytest.approx(expected, rel=1e-12)
