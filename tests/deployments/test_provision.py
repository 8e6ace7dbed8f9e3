"""What is made on a real Prefect server, and what a second time leaves to the user."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.testing.utilities import prefect_test_harness

from deployments.provision import POOL, make_pool


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with prefect_test_harness(server_startup_timeout=120), get_client(sync_client=True) as client:
        yield client


def test_a_pool_that_is_made_again_keeps_its_pause_and_its_limit(client, tmp_path):
    make_pool(client)
    client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True, concurrency_limit=1, description="of ours"))
    make_pool(client, tmp_path)
    pool = client.read_work_pool(POOL)
    assert (pool.is_paused, pool.concurrency_limit, pool.description) == (True, 1, "of ours")
    assert pool.base_job_template["variables"]["properties"]["working_dir"]["default"] == str(tmp_path)
