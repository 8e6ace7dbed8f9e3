from collections.abc import Iterator

import pytest

from tests.store.aws import simulated_aws


@pytest.fixture
def client(monkeypatch) -> Iterator:
    with simulated_aws(monkeypatch) as client:
        yield client


@pytest.fixture
def bucket(client) -> str:
    return "bucket"


@pytest.fixture
def prefix() -> str:
    return "some/prefix"
