"""`bloodcell run`: one experiment by its key, as a runner calls it."""

import os

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
    from bloodcell.events import Failure, Step, emit
    from bloodcell.interruption import Interruption
    from bloodcell.keras_import import import_keras
    from bloodcell.lasting import lasting
    from bloodcell.settings import load_settings
    from bloodcell.store import open_store
    from bloodcell.transfers import TransferSteps

    interruption = Interruption()
    interruption.listen()
    try:
        settings = load_settings()
        # Whoever planned the experiment has seen the bucket: it wrote config.json there.
        store = open_store(settings.store, progress=TransferSteps(), seen=True)
        artifacts.read_spec(store, key)  # before TensorFlow takes its seconds, unless it was forked

        try:
            with lasting():
                import_keras()
                from bloodcell.experiment import run_experiment
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"an experiment needs TensorFlow, and {error.name} is not installed here",
                remedy="install the extra `cpu` or `gpu` of this project",
            ) from error
        run_experiment(store, key, settings, interruption)
        # Without the exit handlers, for which TensorFlow takes a second: all that counts is in the store, and said.
        os._exit(0)
    except StoppedError as error:
        emit(Step(message=error.problem))
        raise
    except BloodcellError as error:
        emit(Failure(problem=error.problem, remedy=error.remedy))
        raise
