"""A Prefect server of a benchmark's own, as `make up` starts one: real, with a database on disk."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from deployments.local.orchestration import is_healthy
from deployments.local.ports import HOST
from deployments.local.processes import PREFECT_SERVER, start, wait_until


@contextmanager
def prefect_server() -> Iterator[dict[str, str]]:
    """Start a server on a free port, and stop it at the end.

    Yields:
        The environment of commands that use it.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        own = {"PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | own
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        url, log = f"http://{HOST}:{port}/api", Path(home) / "log"
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port), "--no-ui"]
        server = start(command, environment, log)
        try:
            wait_until(partial(is_healthy, url), server, PREFECT_SERVER, log)
            yield environment | {"PREFECT_API_URL": url}
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
