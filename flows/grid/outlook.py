"""What `--plan` prints: what a run would do with each row, why, and what it may take."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, get_args

from bloodcell.data.leakage import objection
from bloodcell.formatting import clock, counted, runs_text
from bloodcell.store import Store
from tasks.evidence import epochs_over, learned, newest_reports, read_precedents, reasons_to_train, unfinished
from tasks.learning_time import LearningTime, learning_time
from tasks.plan import Action, Plan, PlannedRun
from tasks.precedents import Precedents

_ACTIONS = get_args(Action)
"""What may happen to an experiment, in the order in which it is shown."""

_MOST_LINES = 50
"""Lines of which each has a row of its own; of more, the rows of which the same is to be said share one."""

_WIDEST = 32
"""Characters for which a column of the table is set; a longer name goes on a line of its own."""

_NARROWEST = 24
"""Characters in which reasons are wrapped where a terminal has even less room."""


class Line(NamedTuple):
    """What happens to a row, with some of its seeds, and why."""

    action: str
    row: str
    seeds: str
    why: str


def outlook(store: Store, planned: Plan) -> str:
    """The plan as text, explained by what the store has. Nothing is written."""
    reports = newest_reports(store, planned.grid.name)
    precedents = read_precedents(store, reports)
    to_train = [run for run in planned.runs if not run.done]
    begun = unfinished(store, to_train)
    whys = {key: "; ".join(why) for key, why in reasons_to_train(to_train, precedents, begun).items()}
    planned = replace(planned, over=epochs_over(begun))
    takes = learning_time(planned, precedents.by_key.values(), learned(store, reports)) if to_train else None
    leakage = objection(planned.leakage, planned.dataset.name)
    lines = shared(rows_of(planned.runs, whys, precedents, several_seeds=planned.grid.seeds > 1))
    return "\n".join(
        [
            f"{planned.grid.name} on {planned.dataset.name}@{planned.dataset.version}",
            "",
            *drawn(lines, shutil.get_terminal_size().columns if sys.stdout.isatty() else None),
            "",
            *([f"warning: {leakage}", ""] if leakage else []),
            *summed_up(planned.runs, takes),
        ]
    )


def rows_of(
    runs: Sequence[PlannedRun], whys: Mapping[str, str], precedents: Precedents, *, several_seeds: bool
) -> list[Line]:
    """A line for each row and what is to be said of it; its seeds share one where that is the same.

    Args:
        runs: The experiments, in the grid's order.
        whys: Why they are to be trained, by key.
        precedents: Earlier trainings.
        several_seeds: Whether seeds are worth naming.
    """
    groups: dict[tuple[str, str, str], list[PlannedRun]] = {}
    for action in _ACTIONS:
        for run in runs:
            if run.action == action:
                said = whys[run.spec.key] if action == "train" else _known(run, precedents)
                groups.setdefault((action, run.row.name, said), []).append(run)
    return [
        Line(
            action,
            row,
            _seeds(alike) if several_seeds else "",
            said if action == "train" else _origin(alike, precedents),
        )
        for (action, row, said), alike in groups.items()
    ]


def _seeds(runs: Sequence[PlannedRun]) -> str:
    text = runs_text(sorted(run.spec.config.seed for run in runs))
    return f"seed {text}" if len(runs) == 1 else f"seeds {text}"


def _known(run: PlannedRun, precedents: Precedents) -> str:
    """What the reports know of a result: which run trained it, one that reported it, or nothing."""
    return next((kind for kind in ("trained_in", "reported_by") if run.spec.key in getattr(precedents, kind)), "")


def _origin(alike: Sequence[PlannedRun], precedents: Precedents) -> str:
    """Where results come from, of which the same is known."""
    keys = [run.spec.key for run in alike]
    if alike[0].resumed:
        return "trained by the run that was interrupted"
    if trained := sorted({precedents.trained_in[key] for key in keys if key in precedents.trained_in}):
        return f"trained in {' to '.join(dict.fromkeys([trained[0], trained[-1]]))}"
    if reported := sorted(precedents.reported_by[key] for key in keys if key in precedents.reported_by):
        return f"trained before {reported[0]}"
    return "trained by a run that was interrupted, or in another grid"


def shared(lines: Sequence[Line]) -> list[Line]:
    """The lines, or where they are many, one for all rows of which the same is to be said."""
    if len(lines) <= _MOST_LINES:
        return list(lines)
    rows: dict[Line, list[str]] = {}
    for line in lines:
        rows.setdefault(line._replace(row=""), []).append(line.row)
    return [
        line._replace(row=names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more")
        for line, names in rows.items()
    ]


def drawn(lines: Sequence[Line], width: int | None) -> list[str]:
    """A table of a line each, wrapped where there is a terminal.

    Args:
        lines: What is to be said.
        width: Characters of the terminal; None where there is none.
    """
    rows = _column(line.row for line in lines)
    seeds = _column(line.seeds for line in lines)
    place = len(_cells(Line("", "", "", ""), rows, seeds)) + 2
    return [text for line in lines for text in _wrapped(_cells(line, rows, seeds), line.why, place, width)]


def _column(cells: Iterable[str]) -> int:
    return max((len(cell) for cell in cells if len(cell) <= _WIDEST), default=0)


def _cells(line: Line, rows: int, seeds: int) -> str:
    return f"{line.action:<6}  {line.row:<{rows}}" + (f"  {line.seeds:<{seeds}}" if seeds else "")


def _wrapped(cells: str, why: str, place: int, width: int | None) -> list[str]:
    if width is None:  # a line each, for grep
        return [f"{cells}  {why}"]
    if len(cells) > place:
        return [cells.rstrip(), *_wrapped("", why, place, width)]
    room = max(width, place + _NARROWEST)
    return textwrap.wrap(f"{cells:<{place}}{why}", room, subsequent_indent=" " * place, break_on_hyphens=False)


def summed_up(runs: Sequence[PlannedRun], takes: LearningTime | None) -> list[str]:
    """How many of which, and what they may take."""
    counts = {action: sum(run.action == action for run in runs) for action in _ACTIONS}
    names = {"train": "to train", "resume": "resumed", "reuse": "reused"}
    parts = ", ".join(f"{counts[action]:,} {names[action]}" for action in _ACTIONS if counts[action])
    lines = [f"{counted(len(runs), 'experiment')}: {parts}"]
    if takes:
        some = f" for {takes.trainings:,} of them" if takes.trainings < counts["train"] else ""
        stops = ", or less where they stop early" if takes.at_most else ""
        judged = counted(takes.rests_on, "earlier training")
        how_long = f"about {clock(takes.seconds)} of learning time{some}, one after another{stops}"
        lines.append(f"{how_long}, judged by {judged}")
    elif counts["train"]:
        lines.append("how long that takes is not known: nothing comparable has a report yet")
    return lines
