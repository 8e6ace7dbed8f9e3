"""What a benchmark measured, as a file: the figures and tables of one script, and the machine they hold for.

A script writes one `Result` to `benchmarks/results/`; `benchmarks.page` makes docs/performance.md of all of them.
"""

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import click
import psutil
from pydantic import Field, model_validator

from bloodcell.errors import CorruptObjectError
from bloodcell.provenance import environment
from bloodcell.settings import cpus
from bloodcell.values import Frozen, Name, validated

RESULTS = Path(__file__).parent / "results"

Row = dict[str, str | int | float]
"""A line of a table: values by column."""


class Figure(Frozen):
    """One number, and the bar that it must clear where it has one."""

    key: Name = Field(
        description="What README calls it: `<!-- bench:key --><!-- /bench -->`. No two figures share one."
    )
    text: str = Field(description="What was measured, as a row of a table says it.")
    value: float
    unit: str = Field("", description="`x` for a ratio, `s`, `points`; others, as `MB`, are shown whole.")
    interval: tuple[float, float] | None = Field(
        None, description="The 95% interval, where there is one: a bar is missed if all of it misses."
    )
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _has_one_bar(self) -> Self:
        if self.at_least is not None and self.at_most is not None:
            raise ValueError(f"figure {self.key} has two bars; accepted is at_least or at_most")
        return self

    @property
    def met(self) -> bool | None:
        """Whether it clears its bar; None where it has none."""
        return self._clears(self._deciding)

    @property
    def shown(self) -> str:
        """The value with its unit, as a reader sees it: one that misses its bar is not rounded onto it."""
        more = 0
        while self.met is False and self._clears(round(self._deciding, digits(self.unit) + more)):
            more += 1
        between = " to ".join(quantity(bound, self.unit, more).split()[0] for bound in self.interval or ())
        return quantity(self.value, self.unit, more) + (f" ({between})" if between else "")

    @property
    def _deciding(self) -> float:
        """What the bar is for: the value, or the end of its interval that clears the bar more easily."""
        values = self.interval or (self.value,)
        return min(values) if self.at_least is None else max(values)

    def _clears(self, value: float) -> bool | None:
        if self.at_least is not None:
            return value >= self.at_least
        return None if self.at_most is None else value <= self.at_most

    @property
    def bar(self) -> str:
        """The bar, as a reader sees it; empty where it has none."""
        bound = self.at_most if self.at_least is None else self.at_least
        if bound is None:
            return ""
        within = ", within the interval" if self.interval else ""
        return f"at {'most' if self.at_least is None else 'least'} {quantity(bound, self.unit)}{within}"


def quantity(value: float, unit: str, more_digits: int = 0) -> str:
    """A value with its unit.

    >>> quantity(1.034, "x"), quantity(15.853, "s"), quantity(1788.9, "images/s"), quantity(-0.42, "points")
    ('1.03x', '15.9 s', '1,789 images/s', '-0.4 points')
    """
    places = digits(unit) + more_digits
    match unit:
        case "x":
            return f"{value:.{places}f}x"
        case "%":
            return f"{value:.{places}f}%"
        case "points":
            return f"{value:+.{places}f} points"
        case _:
            return f"{value:,.{places}f} {unit}"


def digits(unit: str) -> int:
    """Decimals of a value in that unit."""
    return {"x": 2, "s": 1, "%": 1, "points": 1}.get(unit, 0)


class Result(Frozen):
    """All that one run of a benchmark leaves.

    Attributes:
        benchmark: Name of the script.
        about: How it measures: the script's docstring.
        images: What it was measured on.
        settings: The options of the run.
        figures: Its numbers.
        rows: A table of what lies behind them; every row has the same columns.
        notes: What a reader of the figures must know of this run, a sentence each.
        machine: As `bloodcell.provenance.environment` tells it, with cores and memory.
    """

    benchmark: Name
    about: str
    images: str
    settings: dict[str, Any]
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    machine: dict[str, Any]
    measured: datetime


def save(
    benchmark: str,
    about: str | None,
    folder: Path,
    *,
    images: str,
    settings: dict[str, Any],
    figures: list[Figure],
    rows: list[Row] | None = None,
    notes: list[str] | None = None,
) -> Result:
    """Write a result to `<folder>/<benchmark>.json` and print its figures; arguments as `Result` has them."""
    result = Result(
        benchmark=benchmark,
        about=inspect.cleandoc(about or ""),
        images=images,
        settings={name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
        figures=tuple(figures),
        rows=tuple(rows or ()),
        notes=tuple(notes or ()),
        machine=machine(),
        measured=datetime.now(UTC),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{benchmark}.json").write_text(result.model_dump_json(indent=2) + "\n")
    for figure in figures:
        verdict = {True: f" ({figure.bar}: met)", False: f" ({figure.bar}: NOT MET)", None: ""}[figure.met]
        click.echo(f"{figure.text}: {figure.shown}{verdict}")
    return result


def read_results(folder: Path) -> list[Result]:
    """The results in a folder, in the order of their names.

    Raises:
        CorruptObjectError: A file does not validate.
    """
    return [
        validated(Result, json.loads(path.read_text()), source=str(path), error=CorruptObjectError)
        for path in sorted(folder.glob("*.json"))
    ]


def machine() -> dict[str, Any]:
    """What a figure depends on beside the code: processor, cores, memory in bytes, packages; and the commit.

    Not whether oneDNN is on: that is a matter of each side of a comparison.
    """
    facts = environment(device="CPU", threads=cpus())
    del facts["oneDNN"]
    return facts | {"cores": cpus(), "memory": psutil.virtual_memory().total}
