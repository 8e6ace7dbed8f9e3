"""A grid on a stack of its own, killed piece by piece until enough is killed, and then left to end."""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
from ruamel.yaml import YAML

from bloodcell.grids import load_grid
from deployments.local import orchestration
from deployments.local.configuration import Configuration
from deployments.local.processes import PREFECT_SERVER, S3_SERVER, WORKER, running
from deployments.local.stack import Stack
from tests.chaos.victims import flow_runs, kill, rounds
from tests.faults.kinds import ERROR, SLOW_DOWN, Fault, flipped, lost_reply, reset, truncated
from tests.faults.proxy import FaultProxy

DEPLOYMENT = "grid/blood-cell"
"""The nightly one, of which one run at a time is allowed: a lost run that kept its place would be seen."""

RATES: Mapping[Fault, float] = {
    ERROR: 0.01, SLOW_DOWN: 0.01, reset: 0.005, lost_reply: 0.005, truncated: 0.005, flipped: 0.005
}  # fmt: skip

_SERVERS = {PREFECT_SERVER, WORKER, S3_SERVER}
_BEGIN_SECONDS = 120.0
"""How long a run that was asked for may take to begin before another is."""


@dataclass
class Story:
    """What happened.

    Attributes:
        kills: How often what was killed.
        runs: Flow runs that were started.
        seeds: Trainings of each row in the end.
        seconds: How long it took.
        faults: How often the proxy spoilt a request.
    """

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    seeds: int = 1
    seconds: float = 0.0
    faults: int = 0


def grid_file(folder: Path, rows: int) -> Path:
    """Write a grid of some rows of the demo, small enough to be trained often."""
    demo = load_grid("demo")
    base = demo.base | {"image_size": 32, "epochs": 12, "dropout": 0.3}
    experiments = dict(list((demo.experiments or {}).items())[:rows])
    path = folder / "chaos.yaml"
    YAML().dump({"name": "chaos", "dataset": "synthetic", "base": base, "experiments": experiments}, path)
    return path


class Chaos:
    """One run of the story.

    Args:
        folder: For all of it.
        first_port: Of some that are free.
        seed: Decides what is killed when, and which requests are spoilt.
        rows: Of the grid.
        say: Told what happens.
    """

    def __init__(self, folder: Path, first_port: int, *, seed: int, rows: int, say: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.grid = grid_file(folder, rows)
        self._stack = Stack(folder / "stack", lambda _: None)
        self._ports = {"prefect_port": first_port + 9, "s3_port": first_port}
        self._environment = os.environ | {
            "BLOODCELL_CACHE": str(folder / "cache"), "BLOODCELL_SLOTS": "2", "BLOODCELL_THREADS": "1",
            "BLOODCELL_LEASE": "20", "BLOODCELL_CHECKPOINT_MINUTES": "0.05", "BLOODCELL_GRACE": "10",
        }  # fmt: skip
        self._draws = random.Random(seed)
        self._seed = seed
        self._say = say
        self._story = Story()
        self._run: UUID | None = None
        self._asked = 0.0

    def play(self, kills: int, deadline_seconds: float) -> tuple[Story, Configuration]:
        """Kill so many processes, let the grid end, and return what happened, and the stack, which is up."""
        began = time.monotonic()
        own = self._up()
        with FaultProxy(own.variables["AWS_ENDPOINT_URL"]) as proxy:
            proxy.some(RATES, seed=self._seed)
            for kind in rounds(kills, self._draws):
                self._goes_on_for(self._draws.uniform(1, 10), own, proxy)
                while not kill(self._stack.folder, kind, self._draws):  # of what is about to start
                    assert time.monotonic() - began < deadline_seconds, f"there is no {kind} to be killed"
                    self._goes_on_for(0.2, own, proxy)
                self._story.kills[kind] += 1
                self._say(f"{time.monotonic() - began:5.0f} s: killed {kind}, {self._story.kills.total()} in all")
                if kind in _SERVERS:
                    own = self._up()
            while not self._has_completed(own):
                assert time.monotonic() - began < deadline_seconds, "the grid does not end"
                self._goes_on(own, proxy)
                time.sleep(2)
            self._story.faults = len(proxy.met)
        self._story.seconds = time.monotonic() - began
        return self._story, own

    def leftovers(self) -> list[str]:
        """Processes of the stack that should have ended."""
        servers = {process.pid for kind in _SERVERS for process in running(self._stack.folder).get(kind, [])}
        every = [process for some in running(self._stack.folder).values() for process in some]
        return [str(process) for process in every if process.pid not in servers]

    def down(self) -> None:
        """Stop the stack."""
        self._stack.down()

    def _up(self) -> Configuration:
        return self._stack.up(self._ports, self._environment)

    def _goes_on_for(self, seconds: float, own: Configuration, proxy: FaultProxy) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._goes_on(own, proxy)
            time.sleep(min(seconds, 0.5))

    def _goes_on(self, own: Configuration, proxy: FaultProxy) -> None:
        """See that a flow run runs, or is about to; one that completed is followed by one of another seed more."""
        if flow_runs(self._stack.folder):
            return
        with suppress(httpx.HTTPError), orchestration.api(own.api) as client:
            if self._run:
                state = client.read_flow_run(self._run).state
                waits = state is not None and not state.is_final() and not state.is_running()
                if waits and time.monotonic() - self._asked < _BEGIN_SECONDS:
                    return
                if state is not None and state.is_completed():
                    self._story.seeds += 1
            deployment = client.read_deployment_by_name(DEPLOYMENT)
            run = client.create_flow_run_from_deployment(
                deployment.id,
                parameters={"grid": str(self.grid), "seeds": self._story.seeds},
                job_variables={"env": {"AWS_ENDPOINT_URL": proxy.url}},
            )
            self._run, self._asked = run.id, time.monotonic()
            self._story.runs += 1
            self._say(f"        started {run.name}, {self._story.seeds} seeds")

    def _has_completed(self, own: Configuration) -> bool:
        with suppress(httpx.HTTPError), orchestration.api(own.api) as client:
            state = client.read_flow_run(self._run).state if self._run else None
            return state is not None and state.is_completed() and not flow_runs(self._stack.folder)
        return False


def told(story: Story) -> str:
    """The story as JSON."""
    return json.dumps(vars(story) | {"kills": dict(story.kills)}, indent=2)
