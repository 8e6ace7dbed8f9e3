"""A Docker Engine for the tests alone: its own data, its own socket, and GPUs that only take notes.

Debian's engine gives containers GPUs once a program named nvidia-container-runtime-hook is on its PATH when it starts.
Ours writes down, for each container that starts, the devices that the engine asked for.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import docker
import psutil

_HOOK = """#!/usr/bin/env python3
import json, pathlib, sys, time
container = json.load(sys.stdin)
config = json.loads((pathlib.Path(container["bundle"]) / "config.json").read_text())
environment = dict(item.split("=", 1) for item in config["process"]["env"])
line = {"id": container["id"], "devices": environment.get("NVIDIA_VISIBLE_DEVICES"), "time": time.time()}
with open(NOTES, "a") as notes:
    notes.write(json.dumps(line) + chr(10))
"""


_NUMBERS = count(os.getpid() % 200)


class NoEngineError(Exception):
    """Why no engine could be had here, in a sentence."""


class Engine:
    """A running Docker Engine; containers live through its restarts.

    Attributes:
        url: What DOCKER_HOST must be.
        notes: Where the hook writes the devices it was asked for; None where the engine has no GPUs.
        restarts: How often it was restarted.
    """

    def __init__(self, folder: Path, data: Path, bridge: str, *, gpus: bool) -> None:
        self.url = f"unix://{folder}/docker.sock"
        self.notes = folder / "devices.jsonl" if gpus else None
        self.restarts = 0
        self._log = folder / "log"
        self._command = [
            "dockerd", f"--host={self.url}", f"--data-root={data}", f"--exec-root={folder}/exec",
            f"--pidfile={folder}/pid", "--live-restore",
            f"--bridge={bridge}", "--iptables=false", "--ip-masq=false", "--ip-forward=false",
        ]  # fmt: skip
        self._path = os.environ["PATH"]
        if self.notes:
            hook = folder / "bin" / "nvidia-container-runtime-hook"
            hook.parent.mkdir(parents=True)
            hook.write_text(_HOOK.replace("NOTES", repr(str(self.notes))))
            hook.chmod(0o755)
            self.notes.touch()
            self._path = f"{hook.parent}:{self._path}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=os.environ | {"PATH": self._path}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            if subprocess.run(["docker", "-H", self.url, "version"], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise NoEngineError(f"dockerd did not start: {self._log.read_text(errors='replace')[-600:]}")

    def stop(self) -> None:
        """Stop it, and not its containers."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart(self, *, away: float = 2.0) -> None:
        """Stop it, and start it some seconds later."""
        self.stop()
        time.sleep(away)
        self.start()
        self.restarts += 1


@contextmanager
def own_engine(data: Path | None = None, *, gpus: bool = False) -> Iterator[Engine]:
    """Start an engine, and stop it in the end.

    Containers and builds use the host's network; nothing of the host's own engine, bridges or rules is touched.

    Args:
        data: Folder for its images, which may be one of an earlier engine; a passing one where left out.
        gpus: Whether it believes that it has GPUs.

    Raises:
        NoEngineError: This user may not start one.
    """
    if os.geteuid() != 0:
        raise NoEngineError("an engine of the tests' own needs root")
    for program, package in {"dockerd": "docker.io", "ip": "iproute2"}.items():
        if shutil.which(program) is None:
            raise NoEngineError(f"{program} is not installed: apt-get install {package}")
    # Short, for the socket's path; and not one of pytest's folders, for what is mounted below it.
    folder = Path(tempfile.mkdtemp(prefix="bloodcell-engine-"))
    with _bridge(next(_NUMBERS)) as bridge:
        engine = Engine(folder, data or folder / "data", bridge, gpus=gpus)
        try:
            yield engine
        finally:
            _end(engine, folder)


@contextmanager
def _bridge(number: int) -> Iterator[str]:
    """A bridge that nothing uses. An engine told to use none removes docker0, which is that of the host's own."""
    name = f"bloodcell{number}"
    subprocess.run(["ip", "link", "add", "name", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", f"10.213.{number}.1/24", "dev", name], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)


def most_at_once(times: list[tuple[float, float]]) -> int:
    """Of intervals in which a device was in use, how many overlap at most."""
    changes = sorted([(began, 1) for began, _ in times] + [(ended, -1) for _, ended in times])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def _end(engine: Engine, folder: Path) -> None:
    with closing(docker.DockerClient(engine.url)) as client:
        for container in client.containers.list(all=True):  # they would live on
            container.remove(force=True)
    engine.stop()
    for mount in psutil.disk_partitions(all=True):
        if mount.mountpoint.startswith(f"{folder}/"):
            subprocess.run(["umount", mount.mountpoint], check=False)
    shutil.rmtree(folder)
