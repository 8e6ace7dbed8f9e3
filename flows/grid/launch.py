"""Run the flow in this process, on a temporary Prefect server where none is named."""

import logging
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_SERVER_LOGGING_LEVEL,
    get_current_settings,
    temporary_settings,
)

from bloodcell.errors import BloodcellError
from bloodcell.interruption import requests_to_stop
from bloodcell.redaction import redacted
from bloodcell.store import Store
from flows.conclusion import exit_code
from flows.grid.flow import INTERRUPTIBLE, ON_START, grid, run_of

# Prefect's ephemeral server reports home and gives up after 20 s, which a busy machine needs for its first start. Its
# own errors are tracebacks of what a signal left undone; all else its client tells.
_EMBEDDED_SERVER = {
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
    PREFECT_SERVER_LOGGING_LEVEL: "CRITICAL",
}
# So is what its libraries log. No setting: Prefect reads it as it sets up logging, which this process has done by now.
_LOGGING_OF_LIBRARIES = "PREFECT_LOGGING_ROOT_LEVEL"
# A run that sends heartbeats, as Prefect's do unless told, ends up to a second late: what sends them has to wake first.
_NO_HEARTBEATS = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}


def launch(store: Store, name: str, **parameters: Any) -> int:
    """Run the flow, and say how it ended.

    Args:
        store: Where it publishes its report.
        name: Name of the grid.
        **parameters: Of the flow, but for its command: that is this process's.

    Returns:
        The exit code.
    """
    command = redacted(shlex.join(["python", "-m", "flows.grid", *sys.argv[1:]]))
    own = {} if "heartbeat_frequency" in get_current_settings().flows.model_fields_set else _NO_HEARTBEATS
    signals = nullcontext() if PREFECT_API_URL.value() else _signals_taken()
    if not PREFECT_API_URL.value():
        os.environ.setdefault(_LOGGING_OF_LIBRARIES, "CRITICAL")
    with temporary_settings(_EMBEDDED_SERVER | own), signals:
        state = grid(**parameters, command=command, return_state=True)
    # Not from the state's data: a server that took the state but answered too late is asked again, and has none.
    if run := run_of(store, name, str(state.state_details.flow_run_id)):
        click.echo(state.message)
        return exit_code(run)
    cause = state.result(raise_on_failure=False)
    click.echo(f"error: {cause}" if isinstance(cause, BloodcellError) else state.message, err=True)
    return cause.exit_code if isinstance(cause, BloodcellError) else 1


@contextmanager
def _signals_taken() -> Iterator[None]:
    """Meet requests to stop while the flow runs, in its own thread: it does nothing more then."""
    before = {number: signal.getsignal(number) for number in requests_to_stop()}

    def take() -> None:
        for number in before:
            signal.signal(number, _interrupted)

    take()
    ON_START.append(take)  # once more, as Prefect takes SIGTERM over
    try:
        yield
    finally:
        ON_START.remove(take)
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Stop what runs and end.

    A signal to the whole process group, as of a terminal, has ended the temporary server too: Prefect would wait for it
    in vain, and say so at length.
    """
    for each in requests_to_stop():  # make sends SIGTERM once more, and a shell SIGHUP; a second Ctrl-C is meant
        signal.signal(each, signal.SIG_DFL if each == signal.SIGINT else signal.SIG_IGN)
    for handler in logging.root.handlers:
        handler.addFilter(_is_a_warning_of_ours)
    _say("\nstopping")
    for runner in INTERRUPTIBLE:
        runner.stop()
    with suppress(ImportError):  # this has interrupted its import, and there is no server yet
        from prefect.server.api.server import SubprocessASGIServer  # takes 2 s, where there is no such server

        SubprocessASGIServer().stop()  # the one of this process; it outlives a signal that a terminal did not send
    _say("interrupted; the same command goes on from here: finished experiments are kept")
    os._exit(128 + number)


def _is_a_warning_of_ours(record: logging.LogRecord) -> bool:
    """What is worth saying while all stops: that a training could not be saved, not that Prefect's tasks fail."""
    return record.levelno >= logging.WARNING and "prefect" not in Path(record.pathname).parts


def _say(text: str) -> None:
    with suppress(OSError):  # of a terminal that has closed
        click.echo(text, err=True)
