"""`bloodcell report`: the reports of the store."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bloodcell.cli.terminal import configured_store, progress_bar
from bloodcell.errors import DataError
from bloodcell.printable import printable

if TYPE_CHECKING:
    from bloodcell.published import PublishedRun
    from bloodcell.store import Store

_HEADINGS = ("GRID", "RUN", "FINISHED", "DATASET", "ROWS", "BEST TEST ACCURACY", "RUN AS")


@click.group()
def report() -> None:
    """List the reports of the store, and fetch one."""


@report.command("list")
@click.argument("grid", required=False)
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
def list_reports(grid: str | None, last: int) -> None:
    """Name the newest reports, of all grids or of GRID; the last column tells runs of one grid apart."""
    from bloodcell.published import published_runs

    store = configured_store()
    runs = published_runs(store, grid)
    with ThreadPoolExecutor(8) as pool:
        lines = [_HEADINGS, *pool.map(partial(_line, store), runs[:last])]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(printable("  ".join(cells).rstrip()))
    if len(runs) > last:
        click.echo(f"and {len(runs) - last} older: --last {len(runs)}", err=True)


@report.command()
@click.argument("grid", required=False)
@click.argument("run", default="latest")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Target folder."
)
@click.option("--open", "in_browser", is_flag=True, help="Open the report in the browser.")
def fetch(grid: str | None, run: str, folder: Path, in_browser: bool) -> None:
    """Copy a report to this machine, and print the path of its report.html.

    \b
    bloodcell report fetch                        the newest of all
    bloodcell report fetch blood-cell             the newest of a grid
    bloodcell report fetch blood-cell 20261124    a run, by its id or how that begins
    """  # noqa: D301 - click wants the backspace itself
    from bloodcell import published

    if grid == published.LATEST:
        grid = None
    store = configured_store()
    found = published.find_run(store, grid, run)
    with progress_bar(f"fetching {found.grid} {found.run_id}") as progress:
        path = published.fetch(store, found, folder, progress)
    click.echo(path)
    if in_browser and click.launch(str(path)) != 0:
        click.echo("no browser could be started; open the file yourself", err=True)


def _line(store: "Store", run: "PublishedRun") -> tuple[str, ...]:
    from bloodcell.published import summarize

    try:
        summary = summarize(store, run)
    except DataError as error:
        return (run.grid, run.run_id, "", "", f"cannot be read: {error.problem.splitlines()[0]}", "", "")
    rows = f"{summary.done} done" + (f", {summary.failed} failed" if summary.failed else "")
    best = f"{summary.best.accuracy:.2%} {', '.join(summary.best.rows)}" if summary.best else ""
    finished = f"{summary.finished.astimezone():%Y-%m-%d %H:%M}"
    return (run.grid, run.run_id, finished, summary.dataset, rows, best, " ".join(summary.marks))
