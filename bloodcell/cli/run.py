"""`bloodcell run`: one experiment by its key, as a runner calls it."""

import os
import signal
from types import FrameType
from typing import NoReturn

import click

from bloodcell.errors import BloodcellError, ConfigError, StoppedError


@click.command()
@click.option("--key", required=True, help="The experiment's key; its config.json is in the store.")
def run(key: str) -> None:
    """Train and evaluate one experiment, with progress as JSON lines on stdout.

    \b
    Exit codes: 0 done, 65 bad data, 78 bad configuration, 75 try again, 143 stopped by SIGTERM.
    """  # noqa: D301 - click wants the backspace itself
    from bloodcell import artifacts
    from bloodcell.events import Failure, emit
    from bloodcell.settings import load_settings
    from bloodcell.store import open_store
    from bloodcell.transfers import TransferSteps

    signal.signal(signal.SIGTERM, _stop)
    try:
        settings = load_settings()
        store = open_store(settings.store, progress=TransferSteps())
        artifacts.read_spec(store, key)  # before TensorFlow takes its seconds

        try:
            from bloodcell.experiment import run_experiment
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"an experiment needs TensorFlow, and {error.name} is not installed here",
                remedy="install the extra `cpu` or `gpu` of this project",
            ) from error
        run_experiment(store, key, settings)
    except BloodcellError as error:
        emit(Failure(problem=error.problem, remedy=error.remedy))
        raise


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    # No exception: raised in a library's finalizer it would be lost. What the store holds is whole at every moment.
    os._exit(StoppedError.exit_code)
