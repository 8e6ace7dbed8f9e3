import subprocess
import sys

import pytest
from click.testing import CliRunner

from bloodcell import artifacts
from bloodcell.cli import cli
from bloodcell.errors import ConfigError


def test_an_experiment_without_tensorflow_says_what_to_install(settings, spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "bloodcell.experiment", raising=False)
    with pytest.raises(ConfigError, match="keras is not installed here"):
        CliRunner().invoke(cli, ["run", "--key", spec.key], catch_exceptions=False)


def test_help_names_the_exit_codes():
    assert "75 try again" in CliRunner().invoke(cli, ["run", "--help"], catch_exceptions=False).output


def test_sigterm_ends_a_training_with_its_own_exit_code(settings, spec, store):
    long = spec.model_copy(update={"config": spec.config.model_copy(update={"epochs": 500})})
    artifacts.write_model(store, artifacts.experiment(long.key, "config.json"), long)
    command = [sys.executable, "-m", "bloodcell", "run", "--key", long.key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if '"epoch":2' in line:
                process.terminate()
                break
        lines += process.stdout.readlines()
    assert process.returncode == 143, "".join(lines)
    assert "Traceback" not in "".join(lines)
    assert not artifacts.is_done(store, long.key)
