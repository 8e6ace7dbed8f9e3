"""Start-up: `bloodcell --help`, the import of the orchestrator, and a child's way to its first training step.

The child is a fresh interpreter each time, whose images are decoded already and whose weights are a file on the disk;
each phase is timed where it happens, by wall-clock, with one CPU thread for TensorFlow. Tracing, by which TensorFlow
turns the step into a graph, is what the first step takes longer than the second. A grid run forks its children on
Linux, which spares each the phases up to the imports; a fork is timed until it can begin to do what it is asked.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import click

from benchmarks import options
from benchmarks.first_step import FIRST, IMPORTED, SECOND
from benchmarks.measuring import run_command
from benchmarks.photographs import Published, photographs
from benchmarks.results import Figure, Row, save
from tasks.runners.forked import ForkServer

HELP_AT_MOST = 0.3
"""Bar of `bloodcell --help`, in seconds."""

_IMAGES = 480

_ORCHESTRATOR = """
import flows.grid.__main__, tasks.plan, tasks.report_process
from bloodcell.lasting import lasting
with lasting():
    import flows.grid.launch
"""
"""As `python -m flows.grid` imports it."""


def first_step(store: Path, cache: Path, model: str, side: int) -> dict[str, float]:
    """The seconds of each phase of a child's way to its second step."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.first_step",
        str(time.time()),
        str(store),
        str(cache),
        model,
        str(side),
    ]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    phases: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return phases


def forks(times: int) -> list[float]:
    """The seconds from the request to a fork server until the child has printed a line."""
    server = ForkServer(os.environ)

    def fork() -> float:
        began = time.perf_counter()
        child = server.start(["--version"], os.environ, lambda: False)
        if child is None:
            raise ChildProcessError("the fork server forked nothing")
        with child:
            child.stdout.readline()
            return time.perf_counter() - began

    fork()  # waits until the server has imported everything
    return [fork() for _ in range(times)]


@click.command(help=__doc__)
@click.option("--model", default="MobileNet", show_default=True, help="Backbone.")
@click.option("--side", default=128, show_default=True, help="Of the images, in pixels.")
@click.option("--rounds", default=5, show_default=True, help="Starts of each; the figures are their medians.")
@options.results
def main(model: str, side: int, rounds: int, folder: Path) -> None:
    """Measure and save the figures."""
    with tempfile.TemporaryDirectory() as temporary, photographs(None, _IMAGES) as (images, described):
        store, cache = Path(temporary) / "store", Path(temporary) / "cache"
        Published.of(images, store)
        first_step(store, cache, model, side)  # decodes the images, and leaves the weights
        starts = [first_step(store, cache, model, side) for _ in range(rounds)]
    phases_before = list(starts[0])[: list(starts[0]).index(IMPORTED) + 1]
    helps = [run_command(["-m", "bloodcell", "--help"], os.environ).seconds for _ in range(rounds)]
    imports = [run_command(["-c", _ORCHESTRATOR], os.environ).seconds for _ in range(rounds)]
    phases: list[Row] = [{"phase": name, "s": round(median(start[name] for start in starts), 3)} for name in starts[0]]
    save(
        "startup",
        __doc__,
        folder,
        images=described,
        settings={"model": model, "side": side, "rounds": rounds},
        figures=[
            Figure(key="help", text="`bloodcell --help`", value=median(helps), unit="s", at_most=HELP_AT_MOST),
            Figure(key="import-orchestrator", text="import of the orchestrator", value=median(imports), unit="s"),
            Figure(
                key="first-step",
                text=f"a child's first training step, {model} at {side} px",
                value=median(sum(start.values()) - start[SECOND] for start in starts),
                unit="s",
            ),
            Figure(
                key="fresh",
                text="of which all until everything is imported",
                value=median(sum(start[phase] for phase in phases_before) for start in starts),
                unit="s",
            ),
            Figure(
                key="forked",
                text="the same in a child that was forked",
                value=1e3 * median(forks(rounds)),
                unit="ms",
            ),
            Figure(
                key="tracing",
                text="of a first step, tracing",
                value=median(start[FIRST] - start[SECOND] for start in starts),
                unit="s",
            ),
        ],
        rows=phases,
    )


if __name__ == "__main__":
    main()
