"""What a grid run is called and tagged in the Prefect UI."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger

from bloodcell.config import GridConfig
from bloodcell.errors import ConfigError
from bloodcell.grids import load_grid

_LONGEST = 80
"""Characters of a name that a line of the UI's list of runs has room for."""


def run_name(grid: str, dataset: str | None, overrides: Mapping[str, Any] | None) -> str:
    """A flow run's name: `blood-cell on blood-cells, epochs=20`.

    Args:
        grid: A shipped grid's name, or the path of a YAML file.
        dataset: Dataset to use instead of the grid's own.
        overrides: Fields that are set for all rows.
    """
    try:
        config = load_grid(grid)
    except ConfigError:  # the flow itself will say so
        return grid
    settings = (f"{field}={value}" for field, value in (overrides or {}).items())
    name = ", ".join([f"{config.name} on {dataset or config.dataset}", *settings])
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def tags(grid: GridConfig) -> tuple[str, ...]:
    """What a grid's runs are found by, over the nights: `grid:blood-cell`, `dataset:blood-cells`."""
    return f"grid:{grid.name}", f"dataset:{grid.dataset.partition('@')[0]}"


def tag_flow_run(new: Iterable[str]) -> None:
    """Give the current flow run tags beside those it has, a deployment's say.

    A server that does not take them is named in the log: no night fails for want of a tag.
    """
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(runtime.flow_run.id, tags=list(dict.fromkeys([*runtime.flow_run.tags, *new])))
    except Exception as error:  # noqa: BLE001 - whatever ails the server, the grid runs
        get_run_logger().warning("the flow run could not be tagged: %r", error)


def artifact_key(kind: str, grid: str) -> str:
    """The key under which the UI keeps an artifact's history: Prefect accepts lower case, digits and dashes alone."""
    return f"{kind}-{re.sub(r'[^a-z0-9]+', '-', grid.lower()).strip('-')}"
