"""The house stands as drawn: imports run one way, nothing is written twice, files stay short."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "sklearn_xent"
#: A module may import from lower layers, and from those that its own layer lists as helpers.
LAYERS = [
    {"_checks", "_threads", "_linalg", "_curvature", "_separation", "_callbacks", "_version", "_tables", "_data", "_sparse"},
    {"_home", "_pairs"},
    {"_losses", "_penalty", "_design", "_summary", "_calibration", "_rejection"},
    {"losses"},
    {"_line"},
    {"_point"},
    {"_origin", "_operator"},
    {"_objective", "_targets"},
    {"_reductions", "_costs"},
    {"_certificate", "_collinear", "_model"},
    {"_minimise"},
    {"solvers"},
    {"_parameters", "_predictions", "_prior"},
    {"_classifier"},
    {"separation", "_information"},
    {"_likelihood", "_held"},
    {"inference"},
    {""},
    {"_plots", "displays"},
    {"__main__"},
]
WITHIN_A_LAYER = {("solvers", "solvers")}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported_rooms(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sklearn_xent":
            rest = node.module.split(".")[1:]
            yield from [rest[0]] if rest else [alias.name if alias.name in LEVEL else "" for alias in node.names]


def third_party(tree):
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from names + ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    here = room(path)
    for there in imported_rooms(ast.parse(path.read_text(encoding="utf-8"))):
        assert LEVEL[there] < LEVEL[here] or (here, there) in WITHIN_A_LAYER, f"{here} imports {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_design_and_the_public_face_know_of_sparse_matrices(path):
    uses = any(name.startswith("scipy.sparse") for name in third_party(ast.parse(path.read_text(encoding="utf-8"))))
    names = "sparse" in {
        alias.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "scipy"
        for alias in node.names
    }
    assert not (uses or names) or room(path) in {"_design", "_pairs", "_sparse", "_predictions", "_separation"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_solvers_never_ask_what_they_were_given(path):
    if room(path) != "solvers":
        return
    text = path.read_text(encoding="utf-8")
    for word in (".design.X", "Softmax", "Logistic(", "issparse", "_losses", "_residuals"):
        assert word not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_private_module_of_scikit_learn_is_imported(path):
    for name in third_party(ast.parse(path.read_text(encoding="utf-8"))):
        parts = name.split(".")
        assert parts[0] != "sklearn" or not any(part.startswith("_") for part in parts), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            documented = bool(ast.get_docstring(node))
            first = node.body[1] if documented and len(node.body) > 1 else node.body[0]
            assert node.end_lineno - first.lineno < 40, node.name
