import os
import socket
import sys

import pytest
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.local import configuration
from deployments.local.configuration import Configuration
from deployments.local.processes import MARK, PREFECT_SERVER, WORKER, running, start
from deployments.local.stack import Stack


@pytest.fixture
def port():
    """One at which nobody answers: bound, and never listened to."""
    with socket.socket() as socket_:
        socket_.bind(("127.0.0.1", 0))
        yield socket_.getsockname()[1]


def test_down_stops_everything_beside_a_server_that_does_not_answer(tmp_path, port):
    configuration.write(tmp_path, Configuration(prefect_port=port))
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    environment = dict(os.environ) | {MARK: str(tmp_path)}
    servers = [start([*sleep, kind, "start"], environment, tmp_path / "log") for kind in ("server", "worker")]
    assert set(running(tmp_path)) == {PREFECT_SERVER, WORKER}
    said: list[str] = []
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        Stack(tmp_path, said.append).down()
    assert running(tmp_path) == {}
    assert "what runs is stopped, and marked as such by the next `make up`" in said[0]
    for server in servers:
        server.wait(5)
