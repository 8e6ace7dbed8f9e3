"""Comparing on a machine that others use too: in turns, as ratios within one run.

A ratio of two figures that were taken side by side holds where either alone would not: what slows one slows the other.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self

import numpy as np
from scipy import stats

_SPAWN = multiprocessing.get_context("spawn")
"""A forked child would inherit this process's memory and threads."""


def alternate(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Take each measure once a round, in an order that turns round from one to the next.

    Args:
        measures: Functions that do one portion of work and return its seconds.
        rounds: Portions of each.

    Returns:
        The seconds of each measure, by round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in list(measures)[:: -1 if number % 2 else 1]:
            seconds[name].append(measures[name]())
    return seconds


@dataclass(frozen=True)
class Turns:
    """The seconds of sides that took turns, their processes started anew several times.

    Two processes that do the same do not take the same time, for as long as they live. So a ratio is the median of its
    medians by start, and how far these differ tells how finely it can be known.

    Attributes:
        starts: By start, the seconds of each side by round.
    """

    starts: tuple[Mapping[str, Sequence[float]], ...]

    @classmethod
    def take(cls, sides: "Mapping[str, Callable[[], Side]]", *, starts: int, rounds: int) -> Self:
        """Let sides take turns.

        Args:
            sides: What prepares each.
            starts: How often all are prepared.
            rounds: Portions of work of each, a start.
        """
        taken = []
        for start in range(starts):
            names = list(sides)
            names = names[start % len(names) :] + names[: start % len(names)]  # the first prepared may have it better
            with ExitStack() as stack:
                taken.append(alternate({name: stack.enter_context(sides[name]()).turn for name in names}, rounds))
        return cls(tuple(taken))

    def seconds(self, side: str) -> float:
        """Median of a side's portions."""
        return statistics.median(second for start in self.starts for second in start[side])

    def ratios(self, side: str, other: str) -> list[float]:
        """Of the first side's seconds to the other's: the median of each start's rounds."""
        return [
            statistics.median(above / below for above, below in zip(start[side], start[other], strict=True))
            for start in self.starts
        ]


def by_start(ratios: Sequence[float]) -> str:
    """The ratios of several starts, as a table shows them."""
    return " ".join(f"{ratio:.3f}" for ratio in ratios)


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, and its 95% interval by Student's t."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Self:
        """The differences of two series of equal length, of at least two pairs."""
        differences = np.subtract(ours, theirs)
        mean = float(differences.mean())
        half = float(stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences))
        return cls(mean, mean - half, mean + half)


class Side:
    """One side of a comparison: a child process that works when it is its turn, and waits otherwise.

    Two sides that differ in a switch of the whole process, as TensorFlow's op determinism is one, cannot take turns in
    one process.

    Args:
        prepare: Called in the child; it makes all that is needed and returns the function that does one portion of
            work. A function of a module.
        arguments: What it is called with.
    """

    def __init__(self, prepare: Callable[..., Callable[[], object]], *arguments: object) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._child = _SPAWN.Process(target=_take_turns, args=(theirs, prepare, arguments), daemon=True)
        self._child.start()
        theirs.close()  # so that a child that ends is noticed
        self._connection.recv()  # it is prepared; the next side's preparation shall not disturb it, nor it that one

    def turn(self) -> float:
        """Do one portion of work; returns its seconds."""
        self._connection.send(True)
        seconds: float = self._connection.recv()
        return seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._child.join()


def _take_turns(connection: Connection, prepare: Callable[..., Callable[[], object]], arguments: Sequence[Any]) -> None:
    work = prepare(*arguments)
    connection.send(True)
    with suppress(EOFError):  # the end of the parent's wishes
        while connection.recv():
            started = time.perf_counter()
            work()
            connection.send(time.perf_counter() - started)
