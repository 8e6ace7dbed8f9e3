"""Containers whose grid run is gone: killed before it could stop them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from http import HTTPStatus

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from pydantic import ValidationError

from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import LABEL, OWNER_LABEL


def reap(engine: DockerClient, grace: int, on_log: Callable[[str], None]) -> None:
    """Stop and remove the experiments' containers that no living process owns.

    Args:
        engine: The Docker Engine.
        grace: Seconds between SIGTERM and SIGKILL.
        on_log: Called with each container that was removed.
    """
    orphans = [
        container
        for container in engine.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        if is_orphan(engine, container)
    ]
    if not orphans:
        return
    with ThreadPoolExecutor(len(orphans)) as pool:  # the grace times side by side
        ends = [(container, pool.submit(end, container, grace)) for container in orphans]
        for container, ended in ends:
            row, run = container.labels.get("bloodcell.row"), container.labels.get("bloodcell.run")
            which = f"container {container.name} ({row} of {run})"
            try:
                ended.result()
            except (DockerException, requests.RequestException) as error:  # others start all the same
                on_log(f"{which} could not be removed, and holds its GPU if it has one: {error}")
            else:
                on_log(f"removed {which}: the grid run that started it is gone")


def is_orphan(engine: DockerClient, container: Container) -> bool:
    """Whether the process that started an experiment's container is gone; an unreadable label tells nothing."""
    try:
        owner = Owner.model_validate_json(container.labels.get(OWNER_LABEL, ""))
    except ValidationError:
        return False
    return not owner.is_alive(partial(started, engine))


def end(container: Container, grace: int) -> None:
    """Stop a container if it runs, and remove it.

    Args:
        container: Which; it may be gone already, or be removed by another grid run at the same time.
        grace: Seconds between SIGTERM and SIGKILL.
    """
    with suppress(APIError):  # whatever keeps it from stopping, the removal kills it
        container.stop(timeout=grace)
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            raise


def started(engine: DockerClient, container_id: str) -> float | None:
    """When a container started, in seconds of Unix time; None where it does not run, or is not the engine's."""
    try:
        state = engine.containers.get(container_id).attrs["State"]
    except NotFound:
        return None
    return datetime.fromisoformat(state["StartedAt"]).timestamp() if state["Running"] else None
