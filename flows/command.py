"""`python -m flows.grid`: run a grid from a terminal, with a Prefect server of its own where none is named."""

import shlex
import sys
from typing import Any

import click
from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bloodcell.data.dataset import read_info
from bloodcell.errors import BloodcellError, ConfigError
from bloodcell.settings import Settings
from bloodcell.store import open_store
from flows.grid import grid as grid_flow
from flows.grid import resolve

# Prefect's ephemeral server reports home and gives up after 20 s, which a busy machine needs for its first start.
_EMBEDDED_SERVER = {PREFECT_SERVER_ANALYTICS_ENABLED: False, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120}


@click.command()
@click.option("--grid", default="blood-cell", show_default=True, help="A shipped grid, or the path of a YAML file.")
@click.option("--dataset", help="Dataset in the store, instead of the grid's own: `name` or `name@version`.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Set a field of all rows; repeatable.")
def main(grid: str, dataset: str | None, assignments: tuple[str, ...]) -> None:
    """Run a grid: train what has no result yet, then report on all of it.

    \b
    Exit codes: 0 every experiment has a result, 1 some failed (the report names them),
    65 bad data, 78 bad configuration.
    """  # noqa: D301 - click wants the backspace itself
    try:
        overrides = dict(map(parse_assignment, assignments))
        # The flow checks this too; here it costs no server and prints no traceback.
        read_info(open_store(Settings().store), resolve(grid, dataset, overrides).dataset)
    except BloodcellError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    command = shlex.join(["python", "-m", "flows.grid", *sys.argv[1:]])
    with temporary_settings(_EMBEDDED_SERVER):
        state = grid_flow(grid=grid, dataset=dataset, overrides=overrides, command=command, return_state=True)
    failure = state.result(raise_on_failure=False)
    if isinstance(failure, BloodcellError):
        click.echo(f"error: {failure}", err=True)
        sys.exit(failure.exit_code)
    click.echo(state.message)
    sys.exit(0 if state.is_completed() else 1)


def parse_assignment(text: str) -> tuple[str, Any]:
    """`field=value`, the value read as YAML, so that numbers, words and `{patience: 3}` all work.

    Raises:
        ConfigError: There is no `=`, or the value is not YAML.
    """
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise ConfigError(f"--set received {text!r}; accepted is FIELD=VALUE", remedy="write it as --set epochs=3")
    try:
        return field, YAML(typ="safe", pure=True).load(value)
    except YAMLError as error:
        raise ConfigError(f"--set {text!r}: the value is not YAML", remedy="quote the value") from error
