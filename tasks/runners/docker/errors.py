"""What the Docker Engine says and does, in the project's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from docker.errors import APIError, DockerException
from docker.models.containers import Container

from bloodcell.errors import BloodcellError, ConfigError, DeviceMemoryError, StorageFullError, TransientError

_OF_THE_ENGINE: tuple[tuple[str, type[BloodcellError], str, str], ...] = (
    (
        r"could not select device driver|unknown or invalid runtime|unresolvable CDI|no known GPU vendor",
        ConfigError,
        "the Docker Engine cannot give containers a GPU: no NVIDIA runtime is installed",
        "install the NVIDIA Container Toolkit and restart Docker, or unset BLOODCELL_GPUS to train on the CPU",
    ),
    (
        r"nvidia-container-cli|unknown device",
        ConfigError,
        "the NVIDIA runtime refused the GPU",
        "compare BLOODCELL_GPUS with `nvidia-smi -L`",
    ),
    (
        r"no such image",
        ConfigError,
        "the image is not on this host",
        "build it with `make image`, or set BLOODCELL_IMAGE to an image that this host has or may pull",
    ),
    (
        r"executable file not found|exec format error|no such file or directory: unknown",
        ConfigError,
        "the image cannot run an experiment",
        "set BLOODCELL_IMAGE to an image that `make image` made on this kind of machine",
    ),
    (
        r"network .* not found",
        ConfigError,
        "the Docker network of the containers does not exist",
        "set BLOODCELL_NETWORK to one that `docker network ls` names",
    ),
    (
        r"no space left on device",
        StorageFullError,
        "the Docker Engine has no disk space left",
        "free space with `docker system prune`, and run again (finished experiments are kept)",
    ),
    (
        r"range of cpus|minimum memory limit|invalid (mem|shm)|is not in the correct format",
        ConfigError,
        "the Docker Engine refused the limits of the container",
        "correct BLOODCELL_THREADS, BLOODCELL_MEMORY or BLOODCELL_SHM",
    ),
)
"""Patterns of the engine's messages, the first that fits deciding: class, what is wrong, remedy."""


@contextmanager
def engine_errors(about: str) -> Iterator[None]:
    """Turn Docker's errors into the project's.

    Args:
        about: What was attempted, such as `image bloodcell:cpu`.

    Raises:
        ConfigError: The host, the image or the settings must be changed.
        TransientError: The engine does not answer.
        BloodcellError: The engine said something that is not in the table.
    """
    try:
        yield
    except APIError as error:
        raise _said(error, about) from error
    except (DockerException, requests.RequestException) as error:
        raise _unreachable(error) from error


@contextmanager
def pull_errors(image: str) -> Iterator[None]:
    """Turn whatever the engine says of an image that it cannot pull into one error.

    Raises:
        ConfigError: It could not be pulled, and why.
    """
    try:
        yield
    except APIError as error:
        raise ConfigError(
            f"image {image}: the image is not on this host, and could not be pulled ({error.explanation})",
            remedy="build it with `make image`, or set BLOODCELL_IMAGE to an image that this host has or may pull",
        ) from error


def name_is_taken(error: APIError) -> bool:
    """Whether a container was refused because another has its name."""
    return error.status_code == requests.codes.conflict and "already in use" in str(error.explanation)


def _said(error: APIError, about: str) -> BloodcellError:
    words = str(error.explanation or error)
    for pattern, kind, problem, remedy in _OF_THE_ENGINE:
        if re.search(pattern, words, re.IGNORECASE):
            return kind(f"{about}: {problem} ({words})", remedy=remedy)
    return BloodcellError(f"{about}: the Docker Engine refused: {words}", remedy="read the Docker Engine's log")


def _unreachable(error: Exception) -> BloodcellError:
    words = str(error)
    if "Permission denied" in words:
        return ConfigError(
            f"this user may not use the Docker Engine: {words}",
            remedy="add the user to the group `docker` and log in again, or set DOCKER_HOST to another engine",
        )
    return TransientError(
        f"the Docker Engine does not answer: {words}",
        remedy="start it (`systemctl start docker`), set DOCKER_HOST, or set BLOODCELL_RUNNER=process",
    )


def stopped_outside(name: str) -> BloodcellError:
    """The error of a container that was stopped, by nobody of this grid run and not for its memory."""
    return TransientError(
        f"the container of {name} was stopped from outside: by `docker stop` or a restart of the Docker Engine",
        remedy="run again; finished experiments are kept",
    )


def no_command(image: str) -> BloodcellError:
    """The error of an image in which there is no `bloodcell`."""
    return ConfigError(
        f"image {image} cannot run an experiment: it holds no command `bloodcell`",
        remedy="set BLOODCELL_IMAGE to an image that `make image` made",
    )


def out_of_memory(limit: str | None) -> BloodcellError:
    """The error of a container that the kernel killed for its memory."""
    allowed = f"its limit, {limit}" if limit else "what the host had"
    return DeviceMemoryError(
        f"the experiment ran out of memory: it needed more than {allowed}",
        remedy="raise BLOODCELL_MEMORY, or lower batch_size, image_size or the number of slots",
    )


def removed(container: Container) -> BloodcellError:
    """The error of a container that somebody else removed."""
    return BloodcellError(
        f"container {container.name} was removed while the experiment ran",
        remedy="run again; finished experiments are kept",
    )
