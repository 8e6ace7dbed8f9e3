"""A headless Chromium that looks at pages, over the DevTools protocol: websockets comes with Prefect."""

import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
    "--window-size=1400,1000",
]  # fmt: skip


class NoBrowserError(Exception):
    """Why there is no browser here, in a sentence."""


class Page:
    """The browser's one page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def open(self, url: str) -> None:
        """Go to a page; what it shows may come later."""
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        reply = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return reply["result"].get("value")

    def wait(self, expression: str, seconds: float = 90) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"{expression}\n{self.evaluate('document.body.innerText')}"
            time.sleep(0.2)
        return value

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            reply = json.loads(self._connection.recv(timeout=60))
            if reply.get("id") == number:
                result: dict[str, Any] = reply["result"]
                return result


def installed_chromium() -> str:
    """Path of this machine's Chromium.

    Raises:
        NoBrowserError: It is not installed.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise NoBrowserError("chromium is not installed: apt-get install chromium")
    return program


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Start Chromium, and stop it in the end.

    Args:
        folder: A new folder for its profile and log.

    Raises:
        NoBrowserError: It is not installed.
    """
    program = installed_chromium()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *_FLAGS, f"--user-data-dir={folder}/profile"], stderr=log, stdout=log)
    try:
        port = _port(folder / "profile" / "DevToolsActivePort", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as reply:
            (target,) = [target for target in json.load(reply) if target["type"] == "page"]
        with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(20)


def _port(file: Path, process: subprocess.Popen) -> int:
    deadline = time.monotonic() + 60
    while not (file.exists() and "\n" in file.read_text()):
        assert process.poll() is None, f"chromium ended with {process.returncode}"
        assert time.monotonic() < deadline, "chromium opened no port"
        time.sleep(0.1)
    return int(file.read_text().splitlines()[0])
