import ast
from pathlib import Path

import pytest

import bloodcell
from bloodcell import provenance

PACKAGE = Path(bloodcell.__file__).parent

# What an experiment imports without its deciding a figure: formats, names, transport and pictures.
NOT_DECIDING = {
    "artifacts.py",
    "checkpointing.py",
    "checkpoints.py",  # a test holds a resumed training to the bits of one that was not interrupted
    "config.py",  # its values are in the key themselves
    "data/cache.py",
    "data/dataset.py",
    "data/manifest.py",
    "errors.py",
    "events.py",
    "experiment.py",
    "explanations.py",
    "files.py",
    "formatting.py",
    "gradcam.py",
    "holder.py",
    "interruption.py",
    "lease.py",
    "printable.py",
    "process_identity.py",
    "provenance.py",
    "redaction.py",
    "report/confusion.py",
    "report/diagnostics.py",
    "report/gallery.py",
    "report/cells.py",
    "report/plots.py",
    "report/saliency.py",
    "resumption.py",
    "settings.py",
    "values.py",
    "weights.py",  # the weights' hash is in the key
}


def reached_from(module: str) -> set[str]:
    """Modules of bloodcell that a module imports, itself and through others; the report's own imports left out."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.startswith("report/"):
            continue
        waiting += imported_by(PACKAGE / name)
    return seen


def imported_by(file: Path) -> list[str]:
    """Modules of bloodcell that a file imports itself, wherever in it; a package where it takes a name from that."""
    dotted: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            dotted += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            dotted += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    paths = [name.replace(".", "/").removeprefix("bloodcell/") for name in dotted if name.startswith("bloodcell.")]
    return [f"{path}.py" for path in paths if (PACKAGE / f"{path}.py").is_file()]


def test_every_module_an_experiment_uses_is_hashed_or_known_not_to_decide():
    reached = reached_from("experiment.py") | {"keras_import.py"}  # which `bloodcell run` imports first
    reached = {name for name in reached if not name.startswith("store/")}
    assert reached | {"batch_norm_relu.cc"} == {*provenance.TRAINING_SIDE, *NOT_DECIDING}


def test_what_computes_imports_nothing_of_the_report_and_nothing_that_is_not_known():
    """A change of the report retrains nothing only as long as no training-side module computes with it."""
    for module in (name for name in provenance.TRAINING_SIDE if name.endswith(".py")):
        reached = reached_from(module)
        assert not [name for name in reached if name.startswith("report/")], module
        assert reached <= {*provenance.TRAINING_SIDE, *NOT_DECIDING, "store/base.py"}, module


@pytest.mark.parametrize(
    "line",
    [
        "import bloodcell.report.plots",
        "import bloodcell.report.plots as drawing",
        "from bloodcell.report import plots",
        "from bloodcell.report.plots import curves",
        "def late():\n    from bloodcell.report import plots",
    ],
)
def test_an_import_is_seen_however_it_is_written(tmp_path, line):
    (tmp_path / "module.py").write_text(line)
    assert imported_by(tmp_path / "module.py") == ["report/plots.py"]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    for name in (*provenance.TRAINING_SIDE, "report/table.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((PACKAGE / name).read_bytes())
    monkeypatch.setattr(provenance.resources, "files", lambda name: tmp_path)
    return tmp_path


def version() -> str:
    return provenance.code_version.__wrapped__()


def test_code_version_follows_the_training_side_alone(copy):
    first = version()
    (copy / "report/table.py").write_text("changed = True")
    assert version() == first
    (copy / "training.py").write_text((copy / "training.py").read_text() + "changed = True\n")
    assert version() != first


@pytest.mark.parametrize(
    ("packages", "is_the_same"),
    [
        ({"tensorflow": "2.21.0", "keras": "3.15.1"}, True),  # a GPU's, under another name
        ({"tensorflow-cpu": "2.21.3", "keras": "3.15.9"}, True),
        ({"tensorflow-cpu": "2.22.0", "keras": "3.15.1"}, False),
        ({"tensorflow-cpu": "2.21.0", "keras": "3.16.0"}, False),
    ],
)
def test_code_version_follows_the_releases_that_compute(monkeypatch, packages, is_the_same):
    monkeypatch.setattr(provenance, "_version", {"tensorflow-cpu": "2.21.0", "keras": "3.15.1"}.get)
    first = version()
    monkeypatch.setattr(provenance, "_version", packages.get)
    assert (version() == first) == is_the_same


def test_environment_names_what_computed(monkeypatch):
    found = provenance.environment(device="CPU", threads=2)
    assert found["packages"]["keras"]
    assert found["processor"]
    monkeypatch.setenv("BLOODCELL_GIT_COMMIT", "abc")
    assert provenance.git_commit() == "abc"


CPUINFO = """processor\t: 0
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512_vnni

processor\t: 1
model\t\t: 3
model name\t: another
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CPUINFO, "AMD EPYC, family 26, model 2 (avx2 avx512_vnni)"),
        (CPUINFO.replace(" avx2 avx512_vnni", ""), "AMD EPYC, family 26, model 2"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n", "aarch64"),
        ("", "aarch64"),
    ],
)
def test_processors_of_one_name_are_told_apart(monkeypatch, text, told):
    monkeypatch.setattr(provenance.Path, "read_text", lambda *_, **__: text)
    monkeypatch.setattr(provenance.platform, "processor", lambda: "aarch64")
    assert provenance._processor() == told


def test_another_projects_commit_is_not_ours(tmp_path, monkeypatch):
    provenance._git(tmp_path, "init")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "site-packages" / "bloodcell" / "provenance.py"))
    (tmp_path / "site-packages").mkdir()
    assert provenance.git_commit() is None
