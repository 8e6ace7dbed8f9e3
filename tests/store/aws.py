"""AWS for a test: an environment of its variables, and a simulation in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws  # before any client is made: moto hooks into those made later
from moto.core.botocore_stubber import BotocoreStubber

from bloodcell.store.s3_client import s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def set_aws(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Unset every AWS_ variable, keep botocore from the machine's files and metadata, and set these."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    none = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in (none | variables).items():
        monkeypatch.setenv(name, value)


@contextmanager
def simulated_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator["S3Client"]:
    """A client of a simulated AWS, in the environment as well; it has a bucket `bucket`."""
    answer, lock = BotocoreStubber.process_request, Lock()

    def answer_in_turn(*arguments):
        with lock:  # moto is not safe for threads
            return answer(*arguments)

    monkeypatch.setattr(BotocoreStubber, "process_request", answer_in_turn)
    set_aws(monkeypatch, AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="bucket")
        yield client
