"""The Prefect API: what the runner asks of it, and its errors in the project's words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from bloodcell.errors import BloodcellError, ConfigError, TransientError

STOPPED_BY_GRID = "stopped-by:grid"
"""Tag of a flow run that a grid run cancels: its state's message is the worker's, and names nobody."""

_PAGE = 200
"""Flow runs that the server returns at most for one request."""


@contextmanager
def api_errors() -> Iterator[None]:
    """Turn the errors of the Prefect API into the project's. Its client has tried again for a minute by then.

    Raises:
        TransientError: The server does not answer, or not now.
        BloodcellError: It refused the request.
    """
    try:
        yield
    except httpx.HTTPStatusError as error:
        if error.response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.response.status_code in (
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.TOO_MANY_REQUESTS,
        ):
            raise _unreachable(error) from error
        raise BloodcellError(f"the Prefect server refused: {error}", remedy="read the Prefect server's log") from error
    except httpx.TransportError as error:
        raise _unreachable(error) from error
    except ObjectNotFound as error:
        raise BloodcellError(
            f"the Prefect server no longer has what it had: {error}", remedy="run again; finished experiments are kept"
        ) from error


def _unreachable(error: Exception) -> TransientError:
    return TransientError(
        f"the Prefect server does not answer: {error!r}",
        remedy="check PREFECT_API_URL and the server; run again: experiments that still run on the pool are adopted",
    )


def deployment_id(name: str) -> UUID:
    """The id of a deployment: one that is deleted and made anew is another.

    Args:
        name: `<flow>/<deployment>`.

    Raises:
        ConfigError: There is no such deployment.
    """
    with api_errors(), get_client(sync_client=True) as client:
        return _deployment(client, name).id


def _deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise ConfigError(
            f"the Prefect server at {client.api_url} has no deployment {name!r}",
            remedy="create it as docs/scaling.md says, or correct BLOODCELL_DEPLOYMENT or PREFECT_API_URL",
        ) from error


def read_pool(deployment: str) -> WorkPool:
    """The work pool of a deployment.

    Args:
        deployment: `<flow>/<deployment>`.

    Raises:
        ConfigError: There is no such deployment, or it has no work pool.
    """
    with api_errors(), get_client(sync_client=True) as client:
        name = _deployment(client, deployment).work_pool_name
        if name is None:
            raise ConfigError(
                f"the deployment {deployment!r} has no work pool, so no worker would run it",
                remedy="deploy it to a work pool, as docs/scaling.md says",
            )
        return client.read_work_pool(name)


def latest_run(deployment: UUID, store: str, key: str) -> FlowRun | None:
    """The flow run that an experiment got last, in whichever grid run; None where it never had one.

    Args:
        deployment: Its id.
        store: URL of the store that the experiment is in.
        key: The experiment.
    """
    with api_errors(), get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=experiment_tags(store, key))),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,  # of its creation, as none is scheduled for later
            limit=1,
        )
    return runs[0] if runs else None


def experiment_tags(store: str, key: str) -> list[str]:
    """The tags by which an experiment's flow runs are found; two stores may each have one of its key."""
    return [f"key:{key}", f"store:{store}"]


def read_runs(ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """Those of the flow runs that the server still has."""
    pages = (list(ids[start : start + _PAGE]) for start in range(0, len(ids), _PAGE))
    with api_errors(), get_client(sync_client=True) as client:
        return {
            run.id: run
            for page in pages
            for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=page)), limit=_PAGE)
        }


def cancel(run: FlowRun, why: str) -> None:
    """Have a flow run cancelled: at once where it waits in the queue, else by what runs it.

    Another grid run may wait for it too, and sees by the tag that nobody meant to end the experiment.
    """
    with api_errors(), get_client(sync_client=True) as client:
        client.update_flow_run(run.id, tags={*run.tags, STOPPED_BY_GRID})
        client.set_flow_run_state(run.id, Cancelling(message=why))
