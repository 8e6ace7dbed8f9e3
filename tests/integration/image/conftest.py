"""Containers of the image, started as the runner starts them."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import docker
import pytest
from docker import DockerClient

from bloodcell.settings import Settings
from tasks.runners.base import GridRunId
from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import container_environment, container_settings


@pytest.fixture(scope="session")
def client(engine) -> Iterator[DockerClient]:
    with closing(docker.DockerClient(engine.url, timeout=600)) as client:  # an image is exported
        yield client


@pytest.fixture
def run(client, image) -> Callable[..., tuple[int, str]]:
    """Runs a command in a container of the image that is closed as the runner closes it, and without a network."""

    def run(*command: str, **changes: Any) -> tuple[int, str]:
        settings = Settings(image=image, network="none", threads=1)
        arguments = container_settings(
            settings,
            GridRunId("test", "test", "test"),
            Owner.this_process(),
            key="test",
            row="test",
            gpu=None,
            name="bloodcell-test-image",
            environment=container_environment(settings, {}),
        )
        container = client.containers.create(**arguments | {"command": list(command)} | changes)
        try:
            container.start()
            code = container.wait(timeout=300)["StatusCode"]
            return code, container.logs().decode()
        finally:
            container.remove(force=True, v=True)

    return run
