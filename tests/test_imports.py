"""The import rules of the house, read off the modules that a fresh interpreter loads."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bloodcell.provenance import environment

ROOT = Path(__file__).parent.parent
PACKAGES = ("bloodcell", "tasks", "flows", "deployments")
ALLOWED = {
    "bloodcell": {"bloodcell"},
    "tasks": {"bloodcell", "tasks"},
    "flows": {"bloodcell", "tasks", "flows"},
    "deployments": set(PACKAGES),
}


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*(name.partition('.')[0] for name in sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(child.stdout.split())


def imported_by(file: Path) -> set[str]:
    """Top-level names of every import in a file, those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str):
    for file in (ROOT / package).rglob("*.py"):
        forbidden = {*PACKAGES, "benchmarks"} - ALLOWED[package]
        if package == "bloodcell":
            forbidden |= {"prefect", "docker"}
        assert imported_by(file) & forbidden == set(), file


@pytest.mark.parametrize(
    "module", ["flows.grid.launch", "flows.experiment", "bloodcell.report.building", "bloodcell.data.ingest"]
)
def test_the_orchestrating_side_loads_no_tensorflow(module: str):
    assert loaded_by(module) & {"tensorflow", "keras"} == set()


def test_a_grid_starts_without_what_takes_a_second_to_import_and_only_an_experiment_needs():
    code = "import sys, flows.grid.launch; print(*sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prefect" in child.stdout.split()
    heavy = {"numpy", "pandas", "pyarrow", "scipy", "jinja2", "matplotlib", "tensorflow"}
    assert set(child.stdout.split()) & heavy == set()


def test_the_command_starts_without_what_it_may_not_need():
    heavy = {"tensorflow", "prefect", "pandas", "pydantic", "matplotlib", "boto3", "docker"}
    assert loaded_by("bloodcell.cli") & heavy == set()


def test_reports_are_found_and_fetched_without_what_draws_them_or_a_client_for_a_store_that_is_a_folder():
    assert loaded_by("bloodcell.published") & {"pandas", "matplotlib", "boto3", "botocore"} == set()


@pytest.mark.parametrize(("given", "found"), [(None, "1 on"), ("1", "1 on"), ("0", "0 off"), ("false", "false off")])
def test_an_experiment_asks_for_the_kernels_of_onednn_where_its_user_chose_nothing(given, found):
    code = (
        "import os; from bloodcell.keras_import import import_keras; import_keras();"
        "from bloodcell.provenance import environment;"
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'], environment(device='CPU', threads=1)['oneDNN'])"
    )
    own = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    chosen = {} if given is None else {"TF_ENABLE_ONEDNN_OPTS": given}
    child = subprocess.run(
        [sys.executable, "-c", code], env=own | chosen, stdout=subprocess.PIPE, text=True, check=True
    )
    assert child.stdout.splitlines()[-1] == found


def test_where_nobody_asked_for_onednn_nothing_is_said_of_it(monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    assert environment(device="CPU", threads=1)["oneDNN"] == "as TensorFlow chooses"


def test_an_experiment_starts_without_what_keras_offers_to_others():
    code = (
        "import sys; from bloodcell.keras_import import import_keras; import_keras(); import bloodcell.experiment;"
        "print(*sys.modules); import sklearn.base, matplotlib.pyplot"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "keras" in child.stdout.split()
    assert set(child.stdout.split()) & {"sklearn", "scipy.stats", "matplotlib.pyplot"} == set()
