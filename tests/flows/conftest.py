from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    """A real Prefect server on a database of its own; its start takes seconds, more on a busy machine."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
