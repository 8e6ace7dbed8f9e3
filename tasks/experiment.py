"""Run one experiment of a grid."""

import logging
from collections.abc import Callable
from typing import cast
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from bloodcell import artifacts
from bloodcell.artifacts import is_long_wait
from bloodcell.errors import TransientError
from bloodcell.events import WARNING, Done, Epoch, Event, Progress
from bloodcell.store import Store
from tasks.plan import PlannedRun
from tasks.runners import Runner
from tasks.runners.base import error_of

_BAR_CELLS = 20


def is_worth_retrying(task: object, task_run: TaskRun, state: State) -> bool:  # noqa: ARG001
    """Whether another attempt may succeed: bad data and bad configuration stay bad."""
    return isinstance(state.result(raise_on_failure=False), TransientError)


@task(
    name="experiment",
    task_run_name="{planned.name}",
    retries=2,
    retry_delay_seconds=exponential_backoff(10),
    retry_condition_fn=is_worth_retrying,
    cache_policy=NO_CACHE,  # the store alone knows what is done
)
def run_experiment(store: Store, runner: Runner, planned: PlannedRun) -> State:
    """Run the experiment, with its progress in the log and in the Prefect UI.

    Raises:
        BloodcellError: The experiment failed, or its result cannot be read; the class says whether it is tried again.
    """
    get_run_logger().info("%s: %s", planned.name, planned.spec.config.architecture)
    follow(runner, planned.spec.key, planned.name)
    artifacts.read_result(store, planned.spec.key)
    return Completed(name="Trained", message=f"{planned.spec.key} is in the store")


def follow(runner: Runner, key: str, name: str) -> None:
    """Run an experiment, with its progress in the log and the page of the current task or flow run.

    Args:
        runner: What runs it.
        key: The experiment.
        name: What it is called there.

    Raises:
        BloodcellError: It failed.
    """
    logger = get_run_logger()

    def log(line: str) -> None:
        logger.log(logging.WARNING if f": {WARNING}" in line else logging.INFO, line)

    ended = runner.run(key, name, progress_in_prefect(name, log), log)
    error = error_of(ended)
    if error is not None:
        if ended.failure is None and ended.tail:  # it could not say itself what was wrong
            logger.error("\n".join(["last lines of its log:", *ended.tail]))
        raise error


def progress_in_prefect(name: str, log: Callable[[str], None]) -> Callable[[Event], None]:
    """A listener that shows events as log lines and as a progress artifact of the current task run.

    Drawn only where it changes: a request costs the server 20 ms of a core, all else of an experiment 60.

    Args:
        name: The row's name.
        log: Where lines go.
    """
    artifact: UUID | None = None
    shown = 0.0

    def draw(progress: float, text: str) -> None:
        nonlocal artifact, shown
        try:
            if artifact is None:
                # Without a key, so that the page of artifacts shows reports, and the run's page alone its bars.
                # A coroutine in an async task alone, and this task is none.
                artifact = cast(UUID, create_progress_artifact(progress, description=text))
            else:
                update_progress_artifact(artifact, progress, description=text)
            shown = progress
        except Exception as error:  # noqa: BLE001 - whatever ails the server, the training goes on
            log(f"{name}: the progress bar could not be drawn: {error!r}")

    def show(event: Event) -> None:
        if isinstance(event, Progress):  # a line for each would drown the epochs'
            done = event.epoch - 1 + event.step / event.steps
            draw(100 * done / event.epochs, f"{name}: epoch {event.epoch} of {event.epochs}, step {event.step}")
            return
        log(line_of(name, event))
        if isinstance(event, Epoch):
            text = f"{name}: epoch {event.epoch} of {event.epochs}, validation accuracy {event.val_accuracy:.4f}"
            draw(100 * event.epoch / event.epochs, text)
        elif isinstance(event, Done) and shown < 100:  # it stopped early
            draw(100.0, f"{name}: done")

    return show


def line_of(name: str, event: Event) -> str:
    """An event as a line for people: for an epoch a bar and its figures."""
    match event:
        case Epoch():
            filled = round(_BAR_CELLS * event.epoch / event.epochs)
            bar = "█" * filled + "░" * (_BAR_CELLS - filled)
            waiting = event.waiting or 0.0
            long = event.seconds > 0 and is_long_wait(waiting / event.seconds, event.epochs * event.seconds)
            waited = f", of which {waiting:.2f} s waiting for data" if long else ""
            return (
                f"{name} {bar} {event.epoch}/{event.epochs}  loss {event.loss:.4f}  accuracy {event.accuracy:.4f}  "
                f"val loss {event.val_loss:.4f}  val accuracy {event.val_accuracy:.4f}  {event.seconds:.1f} s{waited}"
            )
        case _:
            return f"{name}: {getattr(event, 'message', event)}"
