from pathlib import Path

import bloodcell
from bloodcell import provenance


def test_the_training_side_is_there_and_only_it():
    package = Path(bloodcell.__file__).parent
    assert all((package / name).is_file() for name in provenance._TRAINING_SIDE)
    assert not any(name.startswith("report/") for name in provenance._TRAINING_SIDE)


def test_code_version_follows_the_training_side(tmp_path, monkeypatch):
    copy = tmp_path / "bloodcell"
    package = Path(bloodcell.__file__).parent
    for name in (*provenance._TRAINING_SIDE, "report/table.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((package / name).read_bytes())
    monkeypatch.setattr(provenance.resources, "files", lambda name: copy)
    version = provenance.code_version.__wrapped__()
    assert version == provenance.code_version()
    (copy / "report/table.py").write_text("# changed")
    assert provenance.code_version.__wrapped__() == version
    (copy / "training.py").write_text("# changed")
    assert provenance.code_version.__wrapped__() != version


def test_environment_names_what_computed(monkeypatch):
    found = provenance.environment(device="CPU", threads=2)
    assert found["packages"]["keras"]
    assert found["processor"]
    monkeypatch.setenv("BLOODCELL_GIT_COMMIT", "abc")
    assert provenance.git_commit() == "abc"
