"""Of a container, credentials are in the environment alone: that is how an experiment gets them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict

import docker
import pytest
from docker.errors import APIError

from tasks.runners.docker.settings import LABEL
from tests.integration.image import building
from tests.integration.secrets.places import seen_meanwhile
from tests.integration.secrets.searching import found


def shown_by(client: docker.DockerClient) -> Iterator[bytes]:
    """What the engine shows of each experiment's container, and what that prints; each begins with the word for it."""
    for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        with suppress(APIError):  # it has ended meanwhile
            attributes = client.api.inspect_container(container.id)
            yield b"env " + json.dumps(attributes["Config"].pop("Env")).encode()
            yield b"inspect " + json.dumps(attributes).encode()
            yield b"logs " + container.logs()


def test_containers_of_a_grid_show_no_credential_but_in_their_environment(host, engine, image):
    grid = host.write_grid(**{"works": {}, "too-large": {"batch_size": 1000}})
    environment = host.environment(host.s3.url) | {
        "DOCKER_HOST": engine.url, "BLOODCELL_RUNNER": "docker", "BLOODCELL_IMAGE": image, "BLOODCELL_NETWORK": "host",
    }  # fmt: skip
    command = [sys.executable, "-m", "flows.grid", "--grid", grid]
    with closing(docker.DockerClient(engine.url)) as client, seen_meanwhile(lambda: shown_by(client)) as seen:
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == 78, ended.stderr.decode()
    places = {kind: b"\n".join(one for one in seen if one.startswith(kind)) for kind in (b"env", b"inspect", b"logs")}
    planted = asdict(host.planted)
    assert found(places[b"env"], planted) == {
        "access",
        "secret",
        "endpoint",
    }  # and nothing that an experiment needs not
    assert host.grid.encode() in places[b"inspect"]  # in a label
    assert b'"event":"epoch"' in places[b"logs"]
    assert found(places[b"inspect"] + places[b"logs"] + ended.stdout + ended.stderr, planted) == set()


@pytest.mark.long
def test_an_image_shows_nothing_of_the_environment_that_it_was_made_in(host, engine, base_image, image, monkeypatch):
    """Its layers: tests/integration/image/test_image.py."""
    for name, value in host.environment(host.s3.url).items():
        if value in host.planted.environment.values() or name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    building.make_image(engine.url, base_image, "bloodcell-test:secrets")
    with closing(docker.DockerClient(engine.url)) as client:
        made = client.images.get("bloodcell-test:secrets")
        shown = json.dumps([made.attrs, made.history()]).encode()
    assert b"BLOODCELL_GIT_COMMIT" in shown
    assert found(shown, asdict(host.planted)) == set()
