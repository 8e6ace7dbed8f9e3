"""Each target of `make fuzz`, for some hundreds of inputs."""

import subprocess
import sys

import pytest

pytest.importorskip("atheris", reason="atheris has no wheel for this machine")


@pytest.mark.parametrize("target", ["archive", "image", "grid", "manifest", "event"])
def test_nothing_but_the_projects_own_errors_comes_of_it(target, tmp_path):
    command = [
        sys.executable,
        "-m",
        "tests.hostile.guided",
        target,
        "-runs=400",
        "-seed=1",
        f"-artifact_prefix={tmp_path}/",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "stat::number_of_executed_units: 40" in ended.stderr  # the seeds are counted too
