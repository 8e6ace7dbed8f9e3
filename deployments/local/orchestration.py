"""What a stack asks of its Prefect server: whether it and the worker are well, and an end for every flow run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Cancelling, Crashed

_LOST = "The process that ran it is gone. Experiments that ended are kept; run again."

_UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


@contextmanager
def api(url: str) -> Iterator[SyncPrefectClient]:
    """A client of the server at `url`, whatever server this user's profile names."""
    own = {PREFECT_API_URL: url, PREFECT_API_KEY: None, PREFECT_API_AUTH_STRING: None}
    with temporary_settings(own), get_client(sync_client=True) as client:
        yield client


def is_healthy(url: str) -> bool:
    """Whether the server at `url` answers."""
    with api(url) as client:
        return client.api_healthcheck() is None


def is_polling(client: SyncPrefectClient, pool: str, since: datetime) -> bool:
    """Whether a worker has called at the pool since then."""
    workers = client.read_workers_for_work_pool(pool)
    return any(worker.last_heartbeat_time and worker.last_heartbeat_time > since for worker in workers)


def unfinished(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    """The pool's flow runs that were started, and of which no end is known."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNFINISHED))),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
    )


def cancel(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    """Ask the worker to cancel the pool's flow runs; returns those."""
    runs = unfinished(client, pool)
    for run in runs:
        client.set_flow_run_state(run.id, Cancelling())
    return runs


def wait_for_ends(client: SyncPrefectClient, pool: str, seconds: float) -> None:
    """Wait until each of the pool's flow runs has an end, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while unfinished(client, pool) and time.monotonic() < deadline:
        time.sleep(0.5)


def close(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    """Give an end to the flow runs whose processes are gone: nobody else will, and the next waits for their slot.

    Args:
        client: Of the server.
        pool: The work pool; nothing runs for it.
    """
    runs = unfinished(client, pool)
    for run in runs:
        cancelling = run.state is not None and run.state.is_cancelling()
        client.set_flow_run_state(run.id, Cancelled() if cancelling else Crashed(message=_LOST))
    return runs
