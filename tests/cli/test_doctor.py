import pytest
from click.testing import CliRunner

from bloodcell.cli import cli
from bloodcell.doctor import Check, compute


@pytest.fixture
def quick(monkeypatch):
    """No TensorFlow: tests/doctor has it compute."""
    monkeypatch.setattr(compute, "checks", lambda: iter(()))


def test_a_line_each_and_no_failure(quick, settings):
    ended = CliRunner().invoke(cli, ["doctor"])
    assert ended.exit_code == 0, ended.output
    assert [line.split()[:2] for line in ended.output.splitlines() if "Remedy" not in line] == [
        ["ok", about] for about in ("Python", "packages", "TensorFlow", "code", "cache", "memory", "store")
    ]


def test_the_first_failure_decides_the_exit_code_and_the_others_are_told(settings, monkeypatch):
    failed = [Check("computing", "FAIL", "no", "mend it", 75), Check("GPUs", "FAIL", "none", "add one", 78)]
    monkeypatch.setattr(compute, "checks", lambda: iter(failed))
    ended = CliRunner().invoke(cli, ["doctor"])
    assert ended.exit_code == 75
    assert "FAIL  GPUs        none\n                  Remedy: add one\n" in ended.output
    assert "store" in ended.output


def test_settings_that_are_not_accepted_are_a_failure(quick, settings, monkeypatch):
    monkeypatch.setenv("BLOODCELL_SLOTS", "0")
    ended = CliRunner().invoke(cli, ["doctor"])
    assert ended.exit_code == 78
    assert "FAIL  settings" in ended.output
    assert "BLOODCELL_SLOTS" in ended.output
