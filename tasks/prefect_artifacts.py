"""What the Prefect UI shows of a grid run: a table of its results, and the report with its pictures.

The UI of Prefect 3.8 comes twice, and a reader may switch. One shows a table's cells as they are, the other reads them
as Markdown. Both read descriptions and Markdown artifacts as Markdown, and no browser follows their links to files.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.formatting import clock, counted, percent, shortened
from bloodcell.report.rendering import data_uri, escape
from bloodcell.report.rows import FinishedRow, Row, finished
from bloodcell.store import Store
from bloodcell.store.base import WEEK

LARGEST = 1_000_000
"""Bytes that a report's artifact may have; docs/adr/0010 says why. Some forty charts fit."""

MOST_ROWS = 500
"""Rows that the table shows and whose models the report links to; the files in the store hold all."""

_CUT = "\n\n… The artifact ends here; the report in the store, named above, holds all.\n"

_COLUMNS = ("Row", "Status", "Test accuracy", "Changed", "Test images", "Learning time", "Artifacts", "Reason")
_FILES = ("report.html", "report.md", "results.csv")
_PICTURE = re.compile(r"^!\[(?P<text>.*)\]\((?P<path>plots/[^()]+\.(?:png|jpg))\)$", re.MULTILINE)
_REASON_LENGTH = 300
_WORD_JOINER = "\N{WORD JOINER}"


def results_table(store: Store, rows: Sequence[Row]) -> list[dict[str, str]]:
    """The rows of a grid run for the table artifact, of a large one those that failed first; a failed row says why."""
    if len(rows) <= MOST_ROWS:
        return [_line(store, row) for row in rows]
    shown = sorted(rows, key=lambda row: isinstance(row, FinishedRow))[:MOST_ROWS]
    more = dict.fromkeys(_COLUMNS, "") | {"Row": f"… and {len(rows) - MOST_ROWS:,} more, in results.csv"}
    return [*(_line(store, row) for row in shown), more]


def _line(store: Store, row: Row) -> dict[str, str]:
    line = dict.fromkeys(_COLUMNS, "") | {"Row": row.name, "Changed": literal(row.changes)}
    if not isinstance(row, FinishedRow):
        return line | {"Status": "failed", "Reason": literal(_reasons(row))}
    cells = f"of {counted(row.test.sources, 'cell')}" if row.result.sources_known else "(cells unknown)"
    return line | {
        "Status": row.status,
        "Test accuracy": percent(row.test.accuracy),
        "Test images": f"{row.test.images:,} {cells}",
        "Learning time": clock(row.seconds),
        # A signed link has five hundred characters, and one of the two UIs would show them all.
        "Artifacts": f"{store.url}/{artifacts.experiment(row.result.key, '')}",
        "Reason": literal(_reasons(row)),
    }


def _reasons(row: Row) -> str:
    """Why trainings have no result, each reason once."""
    return " ".join(dict.fromkeys(" ".join(failure.reason) for failure in row.failures))


def literal(text: str) -> str:
    """Text for a table's cell, on one line, that shows the same whether it is read as Markdown or not.

    A backslash would be seen in the UI that shows cells as they are. A word joiner is seen in neither, and leaves
    no tag, link or picture for the other to make.
    """
    shown = shortened(" ".join(text.split()), _REASON_LENGTH)
    return shown.replace("<", f"<{_WORD_JOINER}").replace("](", f"]{_WORD_JOINER}(")


def links(store: Store, run: GridRun, now: datetime) -> str:
    """Links to the report's files as Markdown with the time until which they open; their folder where none opens.

    Args:
        store: Where the report is.
        run: The grid run.
        now: When the links are made.
    """
    urls = {file: store.link(artifacts.grid_run(run.grid.name, run.run_id, file)) for file in _FILES}
    fetch = f"`bloodcell report fetch {run.grid.name} {run.run_id}`"
    if not all(map(_opens, urls.values())):
        folder = f"`{store.url}/{artifacts.grid_run(run.grid.name, run.run_id, '')}`"
        return folder if store.url.startswith("file://") else f"{folder}\n\n{fetch}"
    text = " · ".join(f"[{file}]({url})" for file, url in urls.items())
    end = f"{now + WEEK:%Y-%m-%d %H:%M} UTC at the latest"
    return f"{text}\n\nLinks open until {end}; after that: {fetch}"


def report(store: Store, run: GridRun, rows: Sequence[Row], files: Mapping[str, bytes], now: datetime) -> str:
    """The report for the Markdown artifact: its pictures inside, links to its files before it, to the models behind.

    Args:
        store: Where the report is.
        run: The grid run.
        rows: Its rows.
        files: The report, as from `build_report`.
        now: When the links are made.
    """
    before = f"{links(store, run, now)}\n\n"
    models = [
        _link(store, escape(f"{row.name} seed {seed}"), artifacts.experiment(result.key, "model.keras"))
        for row in finished(rows)
        for seed, result in zip(row.seeds, row.results, strict=True)
    ][:MOST_ROWS]
    after = "\n".join(["", "## Models", "", *(f"- {model}" for model in models), ""]) if models else ""

    def link(shown: str, picture: str) -> str:
        return _link(store, shown, artifacts.grid_run(run.grid.name, run.run_id, picture))

    room = LARGEST - len((before + after).encode())
    return f"{before}{cut(embed(files['report.md'].decode(), files, link, room), room)}{after}"


def cut(markdown: str, room: int) -> str:
    """As many of a text's first lines as find room, in bytes, and a last one that says so where that is not all."""
    data = markdown.encode()
    if len(data) <= room:
        return markdown
    whole_lines = data[: max(0, room - len(_CUT.encode()))].rpartition(b"\n")[0]
    return whole_lines.decode() + _CUT


def embed(markdown: str, pictures: Mapping[str, bytes], link: Callable[[str, str], str], room: int) -> str:
    """Put a report's pictures into its Markdown, the smallest first: charts go before photographs.

    Args:
        markdown: The report, each picture on a line of its own.
        pictures: PNG or JPEG by the path under which the report names it.
        link: Makes a link, from what a picture shows and its path, for one that finds no room.
        room: Bytes that the whole may have.
    """

    def linked(found: re.Match[str]) -> str:
        return link(found["text"], _path(found))

    left = room - len(_PICTURE.sub(linked, markdown).encode())
    inside = set()
    for found in sorted(_PICTURE.finditer(markdown), key=lambda found: len(pictures[_path(found)])):
        left -= len(_inside(found, pictures)) - len(linked(found))
        if left < 0:
            break
        inside.add(_path(found))
    return _PICTURE.sub(lambda found: _inside(found, pictures) if _path(found) in inside else linked(found), markdown)


def _inside(found: re.Match[str], pictures: Mapping[str, bytes]) -> str:
    return f"![{found['text']}]({data_uri(_path(found), pictures[_path(found)])})"


def _path(found: re.Match[str]) -> str:
    return found["path"].replace("\\", "")  # Markdown's escapes: no name has a backslash of its own


def _link(store: Store, text: str, name: str) -> str:
    url = store.link(name)
    return f"[{text}]({url})" if _opens(url) else f"{text} `{url}`"


def _opens(url: str) -> bool:
    """Whether a browser opens the URL from a page of the UI."""
    return url.startswith(("https://", "http://"))
