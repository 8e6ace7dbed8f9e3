"""A host as users have it: an S3 server, a Prefect server with the deployments, a worker, an engine with the image."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker import DockerClient

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

    def start(self, grid: str) -> str:
        """Start a run of the deployment; returns the flow run's id."""
        return self.prefect.start("grid/blood-cell", grid=grid)

    def started(self) -> list[str]:
        """Keys of the experiments whose containers were started since the host is up."""
        events = self.engine.events(
            since=self.since, until=int(time.time()) + 1, decode=True, filters={"label": LABEL, "event": "start"}
        )
        return [event["Actor"]["Attributes"][LABEL] for event in events]

    def experiments(self) -> list:
        """The experiments' containers, ended ones too."""
        return self.engine.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)


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
