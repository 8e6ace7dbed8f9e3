"""Start a container an experiment, follow it to its end, and leave nothing behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from threading import Condition
from threading import Event as Flag
from typing import Any

import docker
import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

from bloodcell.errors import StoppedError
from bloodcell.events import Event
from bloodcell.settings import Settings
from tasks.runners.base import Exit, GridRunId, Transcript, stopped
from tasks.runners.deadlines import Deadlines
from tasks.runners.docker.errors import (
    engine_errors,
    name_is_taken,
    no_command,
    out_of_memory,
    pull_errors,
    removed,
    stopped_outside,
)
from tasks.runners.docker.log import LogReader
from tasks.runners.docker.orphans import end, is_orphan, reap, started
from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import (
    LABEL,
    OWNER_LABEL,
    check_reachable,
    container_environment,
    container_settings,
    lease_names,
)

_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 120.0
"""How long the engine may be silent under a running experiment: a restart of Docker takes less."""

_LAST_LINES_SECONDS = 5.0
"""How long the last lines of a container that was told to stop may take."""

_ENDED = ("exited", "dead")
_STOPPED_OUTSIDE = (StoppedError.exit_code, -signal.SIGTERM, -signal.SIGKILL)
_NO_COMMAND = (126, 127)
"""Exit codes of a shell, and of the containers' init, for a command that is not there or cannot be executed."""


class DockerRunner:
    """Runs each experiment in a container of its own on this host.

    An experiment has ended when the engine says so of its container; neither its log nor a long request decides.

    Args:
        settings: Where things are, and the limits.
        run: The grid run, for the containers' labels.
    """

    def __init__(self, settings: Settings, run: GridRunId) -> None:
        self._settings = settings
        self._run = run
        self._stopping = Flag()
        self._ended = Condition()
        self._runs = 0
        self._containers: set[str] = set()  # ids of those that a run has not removed yet
        self._left: dict[str, None] = {}  # ids of containers that could not be removed when they should

    def prepare(self, on_log: Callable[[str], None]) -> None:
        """Remove orphans, and see that the engine answers and has the image."""
        check_reachable(self._settings, os.environ)
        image = self._settings.image
        with engine_errors(f"image {image}"), closing(docker.from_env()) as engine:
            reap(engine, self._settings.grace, on_log)
            try:
                engine.images.get(image)
            except ImageNotFound:
                on_log(f"pulling {image}")
                with pull_errors(image):
                    engine.images.pull(image)

    def run(self, key: str, name: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        """Start the container as soon as it gets a slot, pass its lines on, wait, and remove it."""
        transcript = Transcript(on_event, on_log)
        about = f"a container of {self._settings.image}"
        with self._counted(), engine_errors(about), closing(docker.from_env()) as engine:
            container = self._create(engine, key, name, on_log)
            with self._removed_after(engine, str(container.id), on_log):
                if self._stopping.is_set():  # `stop` has not seen it
                    raise stopped()
                container.start()
                state = self._follow(container, transcript)
        code = exit_code(state)
        if code and self._stopping.is_set():
            raise stopped()
        if code and state["OOMKilled"]:
            raise out_of_memory(self._settings.memory)
        if code in _NO_COMMAND:
            raise no_command(self._settings.image)
        if code in _STOPPED_OUTSIDE:
            raise stopped_outside(name)
        return transcript.exit(code)

    def stop(self) -> None:
        """Stop the containers, and return when they have ended.

        It waits for no run: the listener of one may keep it, trying to reach a Prefect server that is gone.
        """
        self._stopping.set()
        with self._ended:
            containers = tuple(self._containers)
        with ThreadPoolExecutor(len(containers) + 1) as pool:  # the grace times side by side
            have_ended = all(pool.map(self._stop, containers))
        with self._ended:
            patience = _LAST_LINES_SECONDS if have_ended else self._settings.grace + _PATIENCE_SECONDS
            self._ended.wait_for(lambda: not self._runs, timeout=patience)
            containers = tuple(self._containers)
        if containers:
            with suppress(DockerException), closing(docker.from_env()) as engine:
                for container in containers:
                    self._remove(engine, container, lambda _: None)  # the next start would

    def _stop(self, container_id: str) -> bool:
        """Stop a container; whether it has ended."""
        try:
            with closing(docker.from_env()) as engine:
                engine.containers.get(container_id).stop(timeout=self._settings.grace)
        except NotFound:
            return True
        except (DockerException, requests.RequestException):  # its run tries again
            return False
        return True

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._ended:
            self._runs += 1
        try:
            yield
        finally:
            with self._ended:
                self._runs -= 1
                self._ended.notify_all()

    @contextmanager
    def _removed_after(self, engine: DockerClient, container_id: str, on_log: Callable[[str], None]) -> Iterator[None]:
        with self._ended:
            self._containers.add(container_id)
        try:
            yield
        finally:
            self._remove(engine, container_id, on_log)
            with self._ended:
                self._containers.discard(container_id)

    def _create(self, engine: DockerClient, key: str, row: str, on_log: Callable[[str], None]) -> Container:
        for left in tuple(self._left):
            self._remove(engine, left, on_log)
        owner = Owner.this_process(partial(started, engine))
        environment = container_environment(self._settings, os.environ)
        waits = False
        while not self._stopping.is_set():
            for gpu, name in lease_names(self._settings):
                arguments = container_settings(
                    self._settings, self._run, owner, key=key, row=row, gpu=gpu, name=name, environment=environment
                )
                try:
                    return engine.containers.create(**arguments)
                except APIError as error:
                    if not name_is_taken(error):
                        raise
                    self._give_back(engine, name, key, owner)
            if not waits:
                on_log(f"{row} waits for a GPU: all of {', '.join(self._settings.gpus)} are in use")
                waits = True
            self._stopping.wait(_POLL_SECONDS)
        raise stopped()

    def _follow(self, container: Container, transcript: Transcript) -> dict[str, Any]:
        """Read the container's log until the engine says that it has ended; returns its state then."""
        log = LogReader(container)
        deadlines, overdue = Deadlines(self._settings), None
        answered = time.monotonic()
        while True:
            try:
                if overdue or self._stopping.is_set():
                    container.stop(timeout=self._settings.grace)
                container.reload()
                lines = log.new_lines()
            except NotFound:
                raise (stopped() if self._stopping.is_set() else removed(container)) from None
            except (DockerException, requests.RequestException):
                if time.monotonic() - answered > _PATIENCE_SECONDS:
                    raise
                time.sleep(_POLL_SECONDS)
                continue
            answered = time.monotonic()
            for line in lines:
                transcript.add(line)
                deadlines.hear()  # after what listens, which may be slow: a Prefect server that is away
            if container.status in _ENDED:
                state: dict[str, Any] = container.attrs["State"]
                if overdue and exit_code(state):
                    raise overdue
                return state
            overdue = deadlines.passed(transcript.tail)
            if not overdue:
                self._stopping.wait(_POLL_SECONDS)

    def _remove(self, engine: DockerClient, container_id: str, on_log: Callable[[str], None]) -> None:
        try:
            end(engine.containers.get(container_id), self._settings.grace)
        except NotFound:
            pass
        except (DockerException, requests.RequestException) as error:
            self._left[container_id] = None
            on_log(f"container {container_id[:12]} could not be removed, and is before the next one starts: {error}")
            return
        self._left.pop(container_id, None)

    def _give_back(self, engine: DockerClient, name: str, key: str, owner: Owner) -> None:
        """Take the name from a container that does not use its GPU."""
        try:
            holder = engine.containers.get(name)
            labels = (holder.labels.get(LABEL), holder.labels.get(OWNER_LABEL))
            # Our own with this key is one whose creation was never answered: an experiment runs once at a time.
            if labels == (key, owner.model_dump_json()) or is_orphan(engine, holder):
                end(holder, self._settings.grace)
            elif holder.status in _ENDED:  # its owner knows it by its id, and removes it
                holder.rename(f"{name}-ended-{holder.short_id}")
        except (APIError, requests.ReadTimeout):
            pass  # another grid run was faster; or it cannot be ended, and its slot is no other's


def exit_code(state: dict[str, Any]) -> int:
    """The exit code in an ended container's state: minus the signal's number where a signal ended the experiment.

    A shell's convention, which the container's init follows, gives such an end as 128 and the number.
    """
    code = int(state["ExitCode"])
    return 128 - code if code > 128 and code != StoppedError.exit_code else code
