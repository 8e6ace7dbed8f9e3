"""Docker Compose, in whichever form this machine has it."""

import shutil
import subprocess

import pytest


def compose_command() -> list[str]:
    """Docker's plugin, or the program that was before it."""
    plugin = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    if plugin and plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("Docker Compose is not installed: apt-get install docker-compose")
