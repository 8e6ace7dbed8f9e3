"""A host as users have it: S3 server, Prefect server with the deployments, worker, engine with the image, two GPUs."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker import DockerClient

from bloodcell.data.ingest import push
from bloodcell.store import Store
from tasks.runners.docker.settings import LABEL
from tests.integration.engine import Engine
from tests.integration.orchestration import Prefect

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Host:
    """What a test needs of it."""

    prefect: Prefect
    engine: Engine
    client: DockerClient
    store: Store
    since: float

    def start(self, grid: str, deployment: str = "grid/blood-cell") -> str:
        """Start a run of a deployment; returns the flow run's id."""
        return self.prefect.start(deployment, grid=grid)

    def uses(self) -> dict[str, list[tuple[float, float]]]:
        """When each GPU was in use since the host is up, in order.

        From the note that the engine's hook takes of the devices it is handed, to the end of the container.
        """
        events = self.client.events(
            since=int(self.since), until=int(time.time()) + 1, decode=True, filters={"label": LABEL, "event": "die"}
        )
        ends = {event["id"]: event["timeNano"] / 1e9 for event in events}
        uses = defaultdict(list)
        for note in map(json.loads, self.engine.notes.read_text().splitlines()):
            if note["time"] > self.since:
                uses[note["devices"]].append((note["time"], ends.get(note["id"], float("inf"))))
        return {device: sorted(times) for device, times in uses.items()}

    def experiments(self) -> list:
        """The experiments' containers, ended ones too."""
        return self.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)


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
        "BLOODCELL_NETWORK": "host", "BLOODCELL_GPUS": "0,1", "BLOODCELL_THREADS": "1", "BLOODCELL_GRACE": "5",
    }  # fmt: skip
    for name, value in (settings | {"PREFECT_API_URL": prefect.api, "PREFECT_HOME": str(prefect.home)}).items():
        monkeypatch.setenv(name, value)
    client = docker.DockerClient(engine.url)
    with prefect.worker("grids", "host", settings):
        yield Host(prefect, engine, client, s3_store, time.time())
    client.close()
