"""An experiment as a container on this host, through the Docker API."""

from tasks.runners.docker.runner import DockerRunner

__all__ = ["DockerRunner"]
