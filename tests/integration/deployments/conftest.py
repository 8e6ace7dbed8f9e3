"""A stack as `make up` starts it, and what a user types into a shell that has read its `env`."""

import json
import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from ruamel.yaml import YAML

from deployments.local.processes import running

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class LocalStack:
    """A stack that is up, or was.

    Attributes:
        folder: Where it keeps everything.
        environment: Of `make`.
        ports: Of its servers.
    """

    folder: Path
    environment: Mapping[str, str]
    ports: tuple[int, int]

    def make(self, target: str) -> "subprocess.CompletedProcess[str]":
        """`make up` or `make down`, without a look at whether the project is installed as the lock file says."""
        prefect, s3 = self.ports
        variables = [f"STACK={self.folder}", *([f"PREFECT_PORT={prefect}", f"S3_PORT={s3}"] if target == "up" else [])]
        command = ["make", "-C", str(ROOT), "--old-file=.venv/extra", target, *variables]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def type(self, command: str) -> str:
        """Run a line in a shell that has read the stack's `env`; returns what it prints."""
        line = f". {self.folder}/env && {command}"
        ended = subprocess.run(
            ["sh", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}{self.log()}"
        return ended.stdout

    def start(self, deployment: str, **parameters: object) -> str:
        """Start a run of a deployment; returns the flow run's id."""
        given = " ".join(f"--param '{name}={json.dumps(value)}'" for name, value in parameters.items())
        found = re.search(r"UUID: (\S+)", self.type(f"prefect deployment run {deployment} {given}"))
        assert found
        return found.group(1)

    def client(self) -> SyncPrefectClient:
        """A client of its Prefect server."""
        return SyncPrefectClient(f"http://127.0.0.1:{self.ports[0]}/api")

    def nights(self, at_least: int) -> list[FlowRun]:
        """The coming runs of grid/blood-cell, which the server makes within a minute of its deployment."""
        deadline = time.monotonic() + 90
        scheduled = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        with self.client() as client:
            while True:
                runs = client.read_flow_runs(
                    deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["blood-cell"])),
                    flow_run_filter=FlowRunFilter(state=scheduled),
                )
                if len(runs) >= at_least:
                    return runs
                log = (self.folder / "prefect-server.log").read_text(errors="replace")[-3000:]
                assert time.monotonic() < deadline, f"{len(runs)} nights are scheduled\n{log}"
                time.sleep(1)

    def wait(self, run_id: str, until: Callable[[FlowRun], bool], seconds: float = 300) -> FlowRun:
        """Wait until a flow run is so."""
        deadline = time.monotonic() + seconds
        with self.client() as client:
            while not until(run := client.read_flow_run(run_id)):
                assert time.monotonic() < deadline, f"{run.state!r}\n{self.log()}"
                time.sleep(0.5)
        return run

    def processes(self) -> dict[str, list[int]]:
        """Its processes by what they are."""
        return {kind: [process.pid for process in some] for kind, some in running(self.folder).items()}

    def log(self) -> str:
        """The end of the worker's log."""
        path = self.folder / "worker.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def kill(self, kind: str, but: Collection[psutil.Process] = ()) -> None:
        """Kill its processes of a kind, but for some, and wait until they are gone."""
        for process in running(self.folder)[kind]:
            if process not in but:
                with suppress(psutil.NoSuchProcess):  # it has ended with the one before
                    process.kill()
                psutil.wait_procs([process], timeout=20)


def has_ended(run: FlowRun) -> bool:
    return run.state.is_final()


@pytest.fixture(scope="session")
def own_environment(tmp_path_factory) -> dict[str, str]:
    """This process's variables, and nothing of the machine's own stacks, buckets and caches."""
    foreign = ("PREFECT_", "AWS_", "BLOODCELL_", "MAKE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    cache = tmp_path_factory.mktemp("cache")
    return kept | {"BLOODCELL_CACHE": str(cache), "BLOODCELL_SLOTS": "2", "BLOODCELL_THREADS": "1"}


@pytest.fixture(scope="session")
def new_stack(tmp_path_factory) -> Callable[[Mapping[str, str]], LocalStack]:
    """Makes stacks on ports of their own; none is started."""

    def new_stack(environment: Mapping[str, str]) -> LocalStack:
        first = random.randrange(20_000, 30_000, 10)
        return LocalStack(tmp_path_factory.mktemp("stack"), environment, (first + 9, first))

    return new_stack


@pytest.fixture(scope="module")
def stack(new_stack, own_environment) -> Iterator[LocalStack]:
    """A stack that is up."""
    stack = new_stack(own_environment)
    started = stack.make("up")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        assert f"http://127.0.0.1:{stack.ports[0]}" in started.stdout
        assert f"source {stack.folder}/env" in started.stdout
        yield stack
    finally:
        stack.make("down")


@pytest.fixture(scope="session")
def small_grid(tmp_path_factory) -> str:
    """A grid of one small experiment on the synthetic images."""
    path = tmp_path_factory.mktemp("grids") / "small.yaml"
    base = {"backbone": "MobileNet", "width": 0.25, "weights": "none", "image_size": 32, "epochs": 1}
    YAML().dump({"name": "small", "dataset": "synthetic", "base": base, "experiments": {"a": {}}}, path)
    return str(path)
