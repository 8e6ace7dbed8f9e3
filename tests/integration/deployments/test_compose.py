"""compose.yaml on a real engine: the servers come up in order, a grid runs in containers, and its results outlive them.

Public images are used where they can be pulled, and stand-ins made from Debian's packages and the project's own image
where not.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType

from tests.deployments.compose import compose_command
from tests.integration.image import building

ROOT = Path(__file__).parents[3]
IMAGES = Path(__file__).with_name("images")
PUBLIC = dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", (ROOT / "deployments/compose.yaml").read_text()))


@dataclass(frozen=True)
class Host:
    """Where compose.yaml is up.

    Attributes:
        compose: Runs a command of Compose on it.
        address: On which it is published.
    """

    compose: Callable[..., str]
    address: str

    @property
    def api(self) -> str:
        return f"http://{self.address}:4200/api"

    def run(self, deployment: str, **parameters: object) -> FlowRun:
        """Run a deployment to its end."""
        with SyncPrefectClient(self.api) as client:
            found = client.read_deployment_by_name(deployment)
            run = client.create_flow_run_from_deployment(found.id, parameters=parameters)
            deadline = time.monotonic() + 400
            while not run.state.is_final():
                assert time.monotonic() < deadline, f"{run.state!r}\n{self.compose('logs', '--tail=60')}"
                time.sleep(1)
                run = client.read_flow_run(run.id)
            return run


def stand_ins(engine: str, base: str, own: str, folder: Path) -> dict[str, str]:
    """Images by the variable that names them, for those of the servers that cannot be pulled."""
    shutil.copytree(IMAGES, folder, dirs_exist_ok=True)
    shutil.copy(Path(sysconfig.get_path("scripts"), "weed"), folder / "weed")
    made = {}
    for variable, public in PUBLIC.items():
        if variable == "BLOODCELL_IMAGE" or building.docker(engine, "pull", "--quiet", public).returncode == 0:
            continue
        made[variable] = own
        if variable != "PREFECT_IMAGE":  # the project's own image has a Prefect server too
            name = variable.removesuffix("_IMAGE").lower()
            made[variable] = f"bloodcell-test-{name}"
            command = [
                "docker", "-H", engine, "build", "--quiet", "--network", "host", "--build-arg", f"BASE={base}",
                "--file", f"{folder}/{name}.Dockerfile", "--tag", made[variable], str(folder),
            ]  # fmt: skip
            subprocess.run(command, check=True)
    return made


@pytest.fixture(scope="module")
def host(engine, image, base_image, small_grid, tmp_path_factory) -> Iterator[Host]:
    command = compose_command()
    folder = tmp_path_factory.mktemp("compose")
    address = f"127.{random.randrange(1, 250)}.{random.randrange(1, 250)}.1"
    socket = engine.url.removeprefix("unix://")
    Path(small_grid).parent.chmod(0o755)  # the worker is another user
    variables = stand_ins(engine.url, base_image, image, folder / "images") | {
        "POSTGRES_PASSWORD": "of0postgres", "S3_ACCESS_KEY": "of0s3", "S3_SECRET_KEY": "secret0of0s3",
        "DOCKER_SOCKET": socket, "DOCKER_GID": str(Path(socket).stat().st_gid), "BIND": address,
        "BLOODCELL_IMAGE": image, "BLOODCELL_GPUS": "0", "BLOODCELL_THREADS": "1",
        "GRIDS": str(Path(small_grid).parent),
    }  # fmt: skip
    (folder / "variables").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    prefix = [*command, "--project-name", "tested", "--env-file", str(folder / "variables")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_HOST": engine.url}

    def compose(*arguments: str) -> str:
        line = [*prefix, "--file", str(ROOT / "deployments/compose.yaml"), *arguments]
        ended = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        logs = compose("logs", "--tail=40") if ended.returncode and arguments[0] == "up" else ""
        assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}{logs}"
        return ended.stdout

    with bridged_traffic():
        try:
            compose("up", "--detach")
            yield Host(compose, address)
        finally:
            compose("down", "--volumes")


@contextmanager
def bridged_traffic() -> Iterator[None]:
    """Let containers on one bridge reach each other, where an engine of the host's own has it that only its may."""
    rule = ["FORWARD", "--match", "physdev", "--physdev-is-bridged", "--jump", "ACCEPT"]
    subprocess.run(["iptables", "--insert", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "--delete", *rule], check=True)


def completed(host: Host) -> set[UUID]:
    """The flow runs that were; those to come are scheduled anew at each start."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED]))
    with SyncPrefectClient(host.api) as client:
        return {run.id for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(state=state))}


def test_a_grid_runs_in_containers_of_the_host(host, engine):
    run = host.run("grid/demo", grid="/grids/small.yaml")
    assert run.state.is_completed(), f"{run.state.message}\n{host.compose('logs', '--tail=60', 'worker')}"
    devices = [json.loads(line)["devices"] for line in engine.notes.read_text().splitlines()]
    assert devices[-1:] == ["0"]

    with SyncPrefectClient(host.api) as client:
        artifacts = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        )
    shown = json.dumps([artifact.data for artifact in artifacts])
    link = re.search(r"http://s3\.localhost:8333(/[^\s\"'<>()\\]*report\.html\?[^\s\"'<>()\\]+)", shown)
    assert link, shown[:2000]
    # As a browser of the host asks for it, to which that name is the host itself.
    request = urllib.request.Request(f"http://{host.address}:8333{link[1]}", headers={"Host": "s3.localhost:8333"})
    with urllib.request.urlopen(request, timeout=20) as page:
        assert b"<html" in page.read(1000)


def test_the_ui_is_served(host):
    with urllib.request.urlopen(f"http://{host.address}:4200/ui-settings", timeout=20) as reply:
        settings = json.load(reply)
    assert (settings["api_url"], settings["available_uis"]) == ("/api", ["v1", "v2"])
    request = urllib.request.Request(f"http://{host.address}:4200/dashboard", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=20) as page:
        assert b"<title>Prefect" in page.read()


def test_results_and_history_outlive_the_containers(host):
    before = completed(host)
    host.compose("down")
    host.compose("up", "--detach")
    assert completed(host) == before != set()
    listed = host.compose("run", "--rm", "worker", "bloodcell", "report", "list")
    assert re.search(r"^small +\d{8}T", listed, re.MULTILINE), listed
