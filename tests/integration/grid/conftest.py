"""A host as users have it: an S3 server, a Prefect server with the deployments, a worker, an engine with the image."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker import DockerClient
from prefect.client.schemas.objects import FlowRun
from ruamel.yaml import YAML

from bloodcell.data.ingest import push
from bloodcell.store import Store
from tasks.runners.docker.settings import LABEL
from tests.integration.orchestration import Prefect

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Host:
    """What a test needs of it."""

    prefect: Prefect
    engine: DockerClient
    store: Store
    since: int

    def start(self, grid: str, **parameters: object) -> str:
        """Start a run of the deployment, as a user does at a terminal; returns the flow run's id."""
        given = [f"--param={name}={json.dumps(value)}" for name, value in (parameters | {"grid": grid}).items()]
        said = self.prefect.run("deployment", "run", "grid/blood-cell", *given)
        (line,) = [line for line in said.splitlines() if "UUID:" in line]
        return line.split()[-1]

    def flow_run(self, run_id: str) -> FlowRun:
        """The flow run as the server knows it."""
        with self.prefect.client() as client:
            return client.read_flow_run(run_id)

    def wait(self, run_id: str, until: Callable[[], object] | None = None, seconds: float = 600) -> FlowRun:
        """Wait until something is so, or for the flow run's end where nothing is named."""
        deadline = time.monotonic() + seconds
        while True:
            run = self.flow_run(run_id)
            if until() if until else run.state.is_final():
                return run
            logs = (self.prefect.home / "host.log").read_text(errors="replace")
            assert until is None or not run.state.is_final(), f"{run.state!r}\n{logs[-4000:]}"
            assert time.monotonic() < deadline, f"{run.state!r}\n{logs[-4000:]}"
            time.sleep(0.5)

    def started(self) -> list[str]:
        """Keys of the experiments whose containers were started since the host is up."""
        events = self.engine.events(
            since=self.since, until=int(time.time()) + 1, decode=True, filters={"label": LABEL, "event": "start"}
        )
        return [event["Actor"]["Attributes"][LABEL] for event in events]

    def experiments(self) -> list:
        """The experiments' containers, ended ones too."""
        return self.engine.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)


@pytest.fixture
def grid_file(tmp_path) -> Callable[..., str]:
    """Writes a grid of small experiments."""

    def write(**experiments: dict) -> str:
        path = tmp_path / "small.yaml"
        base = {
            "backbone": "MobileNet", "width": 0.25, "weights": "none", "image_size": 32,
            "learning_rate": 1e-3, "batch_size": 16, "epochs": 2,
        }  # fmt: skip
        YAML().dump({"name": "small", "dataset": "coloured", "base": base, "experiments": experiments}, path)
        return str(path)

    return write


@pytest.fixture(scope="session")
def deployed(prefect: Prefect) -> Prefect:
    """The server with the work pool and the project's deployments."""
    prefect.run("work-pool", "create", "grids", "--type", "process")
    prefect.run("deploy", "--all", "--prefect-file", str(ROOT / "deployments" / "prefect.yaml"))
    return prefect


@pytest.fixture
def host(deployed: Prefect, engine, image, s3_store, coloured_folder, monkeypatch) -> Iterator[Host]:
    """The host; its worker runs grids as processes, and they their experiments in containers."""
    push(s3_store, coloured_folder, name="coloured")
    prefect = deployed
    settings = {
        "DOCKER_HOST": engine.url, "BLOODCELL_RUNNER": "docker", "BLOODCELL_IMAGE": image,
        "BLOODCELL_NETWORK": "host", "BLOODCELL_SLOTS": "2", "BLOODCELL_THREADS": "1", "BLOODCELL_GRACE": "5",
    }  # fmt: skip
    for name, value in (settings | {"PREFECT_API_URL": prefect.api, "PREFECT_HOME": str(prefect.home)}).items():
        monkeypatch.setenv(name, value)
    client = docker.DockerClient(engine.url)
    with prefect.worker("grids", "host", settings):
        yield Host(prefect, client, s3_store, int(time.time()))
    client.close()
