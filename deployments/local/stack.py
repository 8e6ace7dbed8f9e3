"""The servers of one checkout: started where they do not run, and stopped together."""

import os
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bloodcell.errors import ConfigError
from bloodcell.files import exclusive
from bloodcell.values import validated
from deployments.local import configuration, orchestration, processes
from deployments.local.configuration import BUCKET, CHECKOUT, Configuration
from deployments.local.object_store import Keys, ObjectStore
from deployments.local.ports import HOST, require_free
from deployments.local.processes import FLOW_RUN, MARK, PREFECT_SERVER, S3_SERVER, WORKER
from deployments.provision import POOL, deploy, make_pool

_PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]

_CANCELLING_SECONDS = 90.0
"""For the worker to notice, and for the experiments to end."""

_FLOW_RUN_GRACE = 35.0
"""Seconds for a flow run that is stopped: it gives its containers BLOODCELL_GRACE, which is 25 at most."""

Say = Callable[[str], None]


class Stack:
    """A Prefect server, an S3 server and a worker, all of which listen to this machine alone.

    Args:
        folder: For all that they keep; it belongs to this stack alone.
        say: Told of each step.
    """

    def __init__(self, folder: Path, say: Say) -> None:
        self.folder = folder.resolve()
        self._say = say

    def log_of(self, kind: str) -> Path:
        """The file that a server of Prefect's prints to."""
        return self.folder / f"{kind.lower().replace(' ', '-')}.log"

    def up(self, ports: Mapping[str, int], inherited: Mapping[str, str]) -> Configuration:
        """Start what does not run, and return when all is ready.

        Args:
            ports: Fields of Configuration to change; those left out stay as they were.
            inherited: Variables for the servers to start from.

        Raises:
            ConfigError: A port is taken, or is to change under a running server.
            TransientError: A server did not start.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(self.folder / "lock"):
            running = set(processes.running(self.folder))
            own = self._configure(ports, running)
            environment = configuration.server_environment(self.folder, own, inherited)
            self._start_s3(own, running)
            self._start_prefect(own, environment, running)
            with orchestration.api(own.api) as client:
                if WORKER not in running:
                    self._stop(FLOW_RUN)  # of a worker that was killed
                    for run in orchestration.close(client, POOL):
                        self._say(f"{run.name} ran when its process was killed; it is marked as such")
                make_pool(client, CHECKOUT)
                deploy(environment)
                if WORKER not in running:
                    command = [*_PREFECT, "worker", "start", "--pool", POOL, "--type", "process", "--name", "local"]
                    since = datetime.now(UTC)
                    self._start(WORKER, command, environment, lambda: orchestration.is_polling(client, POOL, since))
        return own

    def down(self) -> None:
        """Cancel what runs, stop everything, and keep the data."""
        if not self.folder.exists():
            return
        with exclusive(self.folder / "lock"):
            running = processes.running(self.folder)
            own = configuration.read(self.folder)
            if own and PREFECT_SERVER in running:
                try:
                    self._cancel(own, running)
                except httpx.HTTPError as error:  # of Prefect's errors the base of those that a sick server gives
                    self._say(
                        f"{PREFECT_SERVER}: {error!r}; what runs is stopped, and marked as such by the next `make up`"
                    )
            self._stop(WORKER, FLOW_RUN, PREFECT_SERVER)
            self._stop(S3_SERVER, grace=0)  # SIGTERM takes it long, and what it has acknowledged is on disk

    def _cancel(self, own: Configuration, running: Collection[str]) -> None:
        """End every flow run in a way that the server knows of."""
        with orchestration.api(own.api) as client:
            if WORKER in running:
                for run in orchestration.cancel(client, POOL):
                    self._say(f"cancelling {run.name}; its experiments that ended are kept")
                orchestration.wait_for_ends(client, POOL, _CANCELLING_SECONDS)
            self._stop(WORKER, FLOW_RUN)
            orchestration.close(client, POOL)

    def _configure(self, ports: Mapping[str, int], running: Collection[str]) -> Configuration:
        before = configuration.read(self.folder)
        kept = before.model_dump() if before else {}
        own = validated(Configuration, {**kept, **ports}, source="the stack's configuration")
        if before and before != own and running:
            raise ConfigError(
                f"the stack in {self.folder} runs on ports {before.prefect_port} and {before.s3_port}",
                remedy="run `make down` before you change its ports",
            )
        if S3_SERVER not in running:
            require_free(own.s3_port, S3_SERVER, "make up S3_PORT=<port>")
        if PREFECT_SERVER not in running:
            require_free(own.prefect_port, PREFECT_SERVER, "make up PREFECT_PORT=<port>")
        configuration.write(self.folder, own)
        return own

    def _start_s3(self, own: Configuration, running: Collection[str]) -> None:
        store = ObjectStore(self.folder / "s3", own.s3_port, Keys(own.access_key, own.secret_key))
        if S3_SERVER not in running:
            os.environ[MARK] = str(self.folder)  # it starts from this process's variables
            store.start()
            self._say(f"{S3_SERVER}: process {store.pid}, log {self.folder / 's3' / 'log'}")
        store.create_bucket(BUCKET)

    def _start_prefect(self, own: Configuration, environment: Mapping[str, str], running: Collection[str]) -> None:
        if PREFECT_SERVER not in running:
            command = [*_PREFECT, "server", "start", "--host", HOST, "--port", str(own.prefect_port)]
            self._start(PREFECT_SERVER, command, environment, lambda: orchestration.is_healthy(own.api))

    def _start(self, kind: str, command: list[str], environment: Mapping[str, str], ready: Callable[[], bool]) -> None:
        log = self.log_of(kind)
        server = processes.start(command, {**environment, MARK: str(self.folder)}, log)
        processes.wait_until(ready, server, kind, log)
        self._say(f"{kind}: process {server.pid}, log {log}")

    def _stop(self, *kinds: str, grace: float = 10.0) -> None:
        running = processes.running(self.folder)
        for kind in kinds:
            if kind in running:
                processes.stop(running[kind], _FLOW_RUN_GRACE if kind == FLOW_RUN else grace)
                self._say(f"{kind}: stopped")
