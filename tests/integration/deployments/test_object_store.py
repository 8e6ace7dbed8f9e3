"""The S3 server of a machine that has none: starts, stops and starts again."""

import shutil
import socket

import psutil
import pytest

from bloodcell.errors import ConfigError, TransientError
from bloodcell.store import open_store
from deployments.local.object_store import Keys, ObjectStore
from tests.store.aws import set_aws

KEYS = Keys("somebody", "a-secret")


@pytest.fixture
def port() -> int:
    """A port that is free, as far as one can know; the server refuses what is not."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1]) // 2  # below the ports that the system hands out


def test_objects_outlive_the_server_and_a_move_to_another_port(tmp_path, port, monkeypatch):
    with ObjectStore(tmp_path / "s3", port, KEYS) as server:
        server.create_bucket("bucket")
        server.create_bucket("bucket")  # as a second `make up` does
        set_aws(monkeypatch, **server.environment)
        open_store("s3://bucket").write("a", b"bytes")
        process = psutil.Process(server.pid)
    assert not process.is_running()
    with ObjectStore(tmp_path / "s3", port + 20, KEYS) as server:
        server.create_bucket("bucket")
        set_aws(monkeypatch, **server.environment)
        assert open_store("s3://bucket").read("a") == b"bytes"


def test_a_taken_port_is_named(tmp_path, port):
    for taken in (port, port + 3, port + 10_001):
        with socket.create_server(("127.0.0.1", taken)):
            server = ObjectStore(tmp_path / "s3", port, KEYS)
            with pytest.raises(
                ConfigError, match=f"port {taken}, which the S3 server at http://127.0.0.1:{port} needs"
            ):
                server.start()
            assert server.pid is None


def test_a_server_that_ends_at_once_is_told(tmp_path, port):
    (tmp_path / "s3" / "data").mkdir(parents=True)
    (tmp_path / "s3" / "data" / "vol_dir.uuid").mkdir()  # what weed wants as a file
    server = ObjectStore(tmp_path / "s3", port, KEYS)
    with pytest.raises(TransientError, match="does not answer") as caught:
        server.start()
    assert str(tmp_path / "s3" / "log") in caught.value.remedy
    assert not psutil.pid_exists(server.pid)


def test_a_machine_without_the_wheel_says_what_to_install(tmp_path, port, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        ObjectStore(tmp_path / "s3", port, KEYS).start()
    assert "extra `local`" in caught.value.remedy


def test_keys_are_for_their_owner_alone(tmp_path, port):
    with ObjectStore(tmp_path / "s3", port, KEYS) as server:
        holding = [file for file in (tmp_path / "s3").rglob("*") if file.is_file() and b"a-secret" in file.read_bytes()]
        assert [file.stat().st_mode & 0o077 for file in holding] == [0]
        assert not any("a-secret" in argument for argument in psutil.Process(server.pid).cmdline())
