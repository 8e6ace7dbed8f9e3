"""An image whose `bloodcell run` does what its key says, so that a container's every end can be had in a second."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker import DockerClient

from bloodcell.settings import Settings
from tasks.runners.base import GridRunId
from tasks.runners.docker import DockerRunner

RUN = GridRunId("blood-cell", "20261124T020000Z-abcdef", "019ab")
IMAGE = "bloodcell-test-double"

_EXPERIMENT = r"""#!/bin/sh
# bloodcell run --key <what to do>
figures='"loss": 1, "accuracy": 1, "val_loss": 1, "val_accuracy": 1, "seconds": 1'
epoch() { echo '{"event": "epoch", "epoch": '$1', "epochs": 2, '"$figures"'}'; }
case "$3" in
  talk*)    epoch 1; echo a plain line; echo to stderr >&2; epoch 2 ;;
  bad)      echo '{"event": "error", "problem": "bad data", "remedy": "mend it"}'; exit 65 ;;
  eat)      exec python3 -c 'x = b"x" * 2**30' ;;
  hang*)    trap 'echo asked to stop; exit 143' TERM; echo hanging; while :; do sleep 0.1; done ;;
  deaf)     trap '' TERM; echo deaf; while :; do sleep 0.1; done ;;
  count)    for number in $(seq 1 200); do echo line $number; sleep 0.05; done ;;
  gpu*)     began=$(date +%s.%N); sleep 1; echo "$NVIDIA_VISIBLE_DEVICES $began $(date +%s.%N)" ;;
  confess)  id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls /var/run/docker.sock 2>&1
            touch /x 2>&1; touch /home/x 2>&1; touch /tmp/x && echo tmp; touch /cache/x && echo cache
            df -k /dev/shm | tail -1 ;;
esac
"""

_DOCKERFILE = """FROM {base}
RUN useradd --uid 10001 --no-create-home bloodcell && mkdir /cache && chown bloodcell /cache
COPY bloodcell /usr/local/bin/bloodcell
USER 10001
"""


@pytest.fixture(autouse=True)
def engine_client(engine, monkeypatch) -> Iterator[DockerClient]:
    """The tests' engine, which is the one that the runner finds."""
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    client = docker.DockerClient(engine.url)
    yield client
    left = client.containers.list(all=True)
    for container in left:
        container.remove(force=True)
    client.close()
    assert left == []


@pytest.fixture(scope="session")
def double(engine, base_image: str, tmp_path_factory) -> str:
    """The image of the experiments that do as they are told."""
    folder: Path = tmp_path_factory.mktemp("double")
    (folder / "bloodcell").write_text(_EXPERIMENT)
    (folder / "bloodcell").chmod(0o755)
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(base=base_image))
    command = ["docker", "-H", engine.url, "build", "--quiet", "--network", "host", "--tag", IMAGE, str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return IMAGE


@pytest.fixture
def make_runner(double) -> Callable[..., DockerRunner]:
    def make(**fields) -> DockerRunner:
        defaults = {"store": "s3://bucket", "image": double, "network": "host", "threads": 1, "grace": 2}
        return DockerRunner(Settings(**defaults | fields), RUN)

    return make
