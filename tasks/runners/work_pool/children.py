"""The flow runs of experiments: start one, or adopt the one that an earlier grid run left."""

from typing import NamedTuple, cast

from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment

from tasks.runners.base import GridRunId
from tasks.runners.work_pool.api import api_errors, deployment_id, experiment_tags, latest_run

_ALIVE = {StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING}
"""Types of the states in which a flow run will still bring its experiment's result."""


class Child(NamedTuple):
    """A flow run, and whether an earlier grid run had started it."""

    run: FlowRun
    adopted: bool


def adopt_or_start(deployment: str, grid_run: GridRunId, *, store: str, key: str, row: str) -> Child:
    """The living flow run of an experiment: the one that it has, or a new one, as a subflow of the current task run.

    Args:
        deployment: `<flow>/<deployment>`.
        grid_run: The grid run, for a new one's name and tags.
        store: URL of the store that the experiment is in.
        key: The experiment.
        row: Its row's name in the grid.

    Raises:
        BloodcellError: The Prefect server does not answer, or refuses.
    """
    target = deployment_id(deployment)
    latest = latest_run(target, store, key)
    if latest is not None and latest.state_type in _ALIVE:
        return Child(latest, adopted=True)
    with api_errors():
        run = run_deployment(
            target,
            parameters={"key": key, "store": store},
            flow_run_name=f"{grid_run.grid} · {row}",
            tags=[f"grid:{grid_run.grid}", f"run:{grid_run.run_id}", *experiment_tags(store, key)],
            # Of grid runs that ask at one time, one starts it and the others get the same.
            idempotency_key=f"{key} of {store} on {target} after {latest.id if latest else 'none'}",
            timeout=0,
        )
    return Child(cast(FlowRun, run), adopted=False)  # a coroutine in async code alone
