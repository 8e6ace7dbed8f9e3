"""A work pool of two GPUs as users have it: a Prefect server, an S3 server, an engine, a worker for each GPU."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import psutil
import pytest
from docker import DockerClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, LatestRun
from bloodcell.data.ingest import push
from bloodcell.store import Store
from tests.integration.engine import Engine
from tests.integration.orchestration import Prefect

POOLS = Path(__file__).parents[3] / "deployments" / "pools"

_GRID = {
    "name": "grid",
    "deployments": [
        {"name": "on-pool", "entrypoint": "flows.grid.flow.grid", "pull": [], "work_pool": {"name": "orchestrators"}}
    ],
}


@dataclass
class Pool:
    """What a test needs of it.

    Attributes:
        workers: The worker of each GPU.
    """

    prefect: Prefect
    engine: Engine
    client: DockerClient
    store: Store
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, grid: str) -> str:
        """Start a grid on the pool; returns the flow run's id."""
        return self.prefect.start("grid/on-pool", grid=grid)

    def children(self) -> list[FlowRun]:
        """The flow runs of experiments in this test's store."""
        with self.prefect.client() as client:
            runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=["grid:own"])))
        return [run for run in runs if run.parameters.get("store") == self.store.url]

    def runs_of_row(self) -> Counter:
        """How many flow runs each row has had."""
        return Counter(run.name.removeprefix("own · ") for run in self.children())

    def containers(self) -> list:
        """The experiments' containers, ended ones too."""
        return self.client.containers.list(all=True, filters={"label": "bloodcell.gpu"}, ignore_removed=True)

    def are_training(self, count: int) -> bool:
        containers = self.containers()
        return len(containers) == count and all(b"training" in container.logs() for container in containers)

    def devices(self) -> list[str]:
        """The device that each container since the engine's start was given."""
        return [json.loads(line)["devices"] for line in self.engine.notes.read_text().splitlines()]

    def rows(self) -> list[tuple[str, str]]:
        """What became of each row of the last grid run."""
        pointer = artifacts.read_model(self.store, artifacts.latest_grid_run("own"), LatestRun)
        run = artifacts.read_model(self.store, artifacts.grid_run("own", pointer.run_id, "grid.json"), GridRun)
        return [(row.name, row.status) for row in run.rows]

    def kill_grid(self, run_id: str) -> None:
        """Kill every process of a grid's flow run, as a host that loses power does."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("PREFECT__FLOW_RUN_ID") == run_id:
                    process.kill()


@pytest.fixture(scope="session")
def deployed(prefect: Prefect, image: str) -> Prefect:
    """The server with the work pool, the deployment that grids send experiments to, and one of the grid."""
    prefect.run("work-pool", "create", "gpus", "--type", "docker", "--base-job-template", str(POOLS / "docker.json"))
    variables = {
        "image": image, "image_pull_policy": "Never", "network": "host", "threads": 1,
        "env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
    }  # fmt: skip
    given = [f"--job-variable={json.dumps({name: value})}" for name, value in variables.items()]
    prefect.run("deploy", "--prefect-file", str(POOLS / "prefect.yaml"), "--name", "pool", *given)
    prefect.run("work-pool", "create", "orchestrators", "--type", "process")
    file = prefect.home / "grid.yaml"
    YAML().dump(_GRID, file)
    prefect.run("deploy", "--prefect-file", str(file), "--all")
    return prefect


@pytest.fixture
def pool(deployed: Prefect, engine: Engine, s3_store, coloured_folder) -> Iterator[Pool]:
    """The pool with its workers, and one that runs grids; at the end no container is left."""
    push(s3_store, coloured_folder, name="coloured")
    client = docker.DockerClient(engine.url)
    pool = Pool(deployed, engine, client, s3_store)
    with ExitStack() as stack:
        stack.enter_context(deployed.worker("orchestrators", "orchestrator", {"BLOODCELL_RUNNER": "work_pool"}))
        for gpu in "01":
            pool.workers[gpu] = stack.enter_context(gpu_worker(deployed, engine, gpu))
        yield pool
    for container in pool.containers():
        container.remove(force=True)
    client.close()


@contextmanager
def gpu_worker(prefect: Prefect, engine: Engine, gpu: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The worker of a GPU, started as docs/scaling.md says."""
    environment = prefect.environment | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DOCKER_HOST": engine.url,
    }
    with (prefect.home / f"gpu-{gpu}.log").open("ab") as log:
        worker = subprocess.Popen(
            [POOLS / "gpu-worker", "gpus", gpu], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
