"""The real server's store behind a link that fails.

Patience and timeouts are short here; what is bounded by them is bounded by theirs elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from bloodcell.store import Store, open_store
from bloodcell.store.s3 import S3Store
from bloodcell.store.s3_client import s3_client
from tests.faults.proxy import FaultProxy
from tests.faults.uses import PART, Uses
from tests.store.aws import set_aws

TIMEOUT = 1.0
PATIENCE = 5.0


@pytest.fixture(scope="module")
def proxy(s3_server) -> Iterator[FaultProxy]:
    with FaultProxy(s3_server.url) as proxy:
        yield proxy


@pytest.fixture
def direct(s3_server, monkeypatch) -> Store:
    """The test's store without the proxy. In a bucket apart, as faults leave parts of uploads."""
    set_aws(monkeypatch, **s3_server.environment)
    s3_server.create_bucket("faults")
    return open_store(f"s3://faults/{uuid4().hex}")


@pytest.fixture
def open_at(proxy, s3_server, direct, monkeypatch) -> Callable[..., S3Store]:
    """Opens the test's store through the proxy."""
    proxy.clear()
    set_aws(monkeypatch, **s3_server.environment | {"AWS_ENDPOINT_URL": proxy.url})
    bucket, prefix = direct.url.split("/")[2:]

    def open_at(bucket: str = bucket, *, seen: bool = True, patience: float = PATIENCE) -> S3Store:
        client = s3_client(read_timeout=TIMEOUT)
        return S3Store(bucket, prefix, client, part_size=PART, seen=seen, patience=patience)

    return open_at


@pytest.fixture
def store(open_at) -> S3Store:
    return open_at()


@pytest.fixture
def uses(store, direct, tmp_path) -> Uses:
    return Uses(store, direct, tmp_path)


@pytest.fixture
def own_bucket(s3_server, monkeypatch) -> Any:
    """A bucket that the test may delete, as a resource of boto3's, without the proxy."""
    set_aws(monkeypatch, **s3_server.environment)
    bucket = boto3.resource("s3", endpoint_url=s3_server.url, region_name="us-east-1").Bucket("vanishing")
    bucket.create()
    return bucket
