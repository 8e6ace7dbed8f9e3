"""A Prefect server and workers for the tests alone, as processes that end with them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

PREFECT = Path(sys.executable).with_name("prefect")


@dataclass(frozen=True)
class Prefect:
    """A running Prefect server.

    Attributes:
        api: What PREFECT_API_URL must be.
        home: Folder of the server's and the workers' logs and state.
        auth: `<user>:<password>` that the server asks for; None for nothing.
    """

    api: str
    home: Path
    auth: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """This process's variables, with Prefect's set for the server and none of the machine's own."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        if self.auth:
            own |= {"PREFECT_SERVER_API_AUTH_STRING": self.auth, "PREFECT_API_AUTH_STRING": self.auth}
        return own | {
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
        }

    def client(self) -> SyncPrefectClient:
        """A client of this server, whatever this process's own settings are."""
        return SyncPrefectClient(self.api, auth_string=self.auth)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a `prefect` command and return what it prints."""
        ended = subprocess.run(
            [PREFECT, "--no-prompt", *arguments],
            env=self.environment | dict(environment or {}), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def start(self, deployment: str, **parameters: object) -> str:
        """Start a run of a deployment, as a user does at a terminal; returns the flow run's id."""
        given = [f"--param={name}={json.dumps(value)}" for name, value in parameters.items()]
        said = self.run("deployment", "run", deployment, *given)
        (line,) = [line for line in said.splitlines() if "UUID:" in line]
        return line.split()[-1]

    def wait(self, run_id: str, until: Callable[[], object] | None = None, seconds: float = 900) -> FlowRun:
        """Wait until something is so, or for the flow run's end where nothing is named."""
        deadline = time.monotonic() + seconds
        while True:
            with self.client() as client:
                run = client.read_flow_run(run_id)
            if until() if until else run.state.is_final():
                return run
            assert until is None or not run.state.is_final(), f"{run.state!r}\n{self.logs()}"
            assert time.monotonic() < deadline, f"{run.state!r}\n{self.logs()}"
            time.sleep(0.5)

    def eventually(self, so: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is so, whatever flow runs still run."""
        deadline = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.5)

    def logs(self) -> str:
        """The ends of the server's and the workers' logs."""
        return "\n".join(log.read_text(errors="replace")[-4000:] for log in self.home.glob("*.log"))

    @contextmanager
    def worker(self, pool: str, name: str, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker of a work pool; at the end it and the flow runs it started are gone."""
        command = [PREFECT, "worker", "start", "--pool", pool, "--name", name]
        with _process(command, self.environment | dict(environment), self.home / f"{name}.log") as worker:
            yield worker


@contextmanager
def prefect_server(home: Path, auth: str | None = None) -> Iterator[Prefect]:
    """Start a server on a free port with a database of its own, and stop it in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Prefect(f"http://127.0.0.1:{port}/api", home, auth)
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log = home / "server.log"
    with _process(command, server.environment, log) as process:
        deadline = time.monotonic() + 120
        while not _answers(f"{server.api}/health"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.3)
        yield server


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def _process(command: list, environment: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
