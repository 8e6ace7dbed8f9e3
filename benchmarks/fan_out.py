"""Fan-out: what a grid run costs beside its trainings, by the number of experiments, on a Prefect server that is up.

A runner that does nothing but write a result, as a real experiment leaves it, stands in for the trainings, two at once.
Timed are the plan and the fan-out together, and the report of all rows, each in a flow of its own. The memory of both
processes of a grid run is sampled from outside and added up: of the flow's, and of the one that audits splits and makes
the report. Imports and the start of the server are not in it. A grid run draws the charts of most
rows while others train; here, where nothing trains, all of that is in the report's time. Memory hardly grows with the
experiments: the report's pictures are on disk, and what it holds of a row are its figures and how they might have come
out on other cells.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from matplotlib.figure import Figure as Chart

from benchmarks import options
from benchmarks.measuring import Cost, in_child
from benchmarks.photographs import Published, photographs
from benchmarks.prefect_server import prefect_server
from benchmarks.results import Figure, Row, save
from bloodcell.artifacts import GridRun, read_model, write_model
from bloodcell.report.style import SOFT, dress, png

BARRED, AT_MOST = 200, 20.0
"""The number of experiments that has a bar, and the seconds it may take."""

PLOT = Path(__file__).parents[1] / "docs" / "performance" / "fan_out.png"

_IMAGES = 480
_SLOTS = 2
_RUN = "run.json"


@dataclass(frozen=True)
class Costs:
    """What so many experiments cost."""

    fan_out: Cost
    report: Cost


def fan(store: Path, experiments: int) -> Callable[[], object]:
    """To plan so many experiments and fan them out, in a flow."""
    from prefect import flow

    from benchmarks.no_op import NoOpRunner, grid, grid_run
    from flows.fan_out import fan_out
    from tasks.plan_grid import plan_grid
    from tasks.report_process import ReportProcess
    from tasks.reporting import audit_dataset, warm_up

    reports = ReportProcess()
    reports.call(warm_up)
    audit = partial(reports.call, audit_dataset)
    published = Published.at(store)
    runner = NoOpRunner(published)

    @flow
    def no_op() -> None:
        planned = plan_grid(published.store, grid(published, experiments), run_id="no-op", audit=audit)
        outcomes = fan_out(published.store, planned, runner, _SLOTS)
        write_model(published.store, _RUN, grid_run(planned, outcomes))

    return no_op


def report(store: Path) -> Callable[[], object]:
    """To report on what was fanned out, in a flow."""
    from prefect import flow

    from tasks.report import report_grid
    from tasks.report_process import ReportProcess
    from tasks.reporting import get_ready_to_draw, make_report

    reports = ReportProcess()
    reports.call(get_ready_to_draw)
    published = Published.at(store)
    run = read_model(published.store, _RUN, GridRun)

    @flow
    def reported() -> None:
        report_grid(published.store, run, published.info, store.parent, partial(reports.call, make_report))

    return reported


def measure(images: Path, experiments: int) -> Costs:
    """The costs of so many experiments in a fresh store."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        Published.of(images, store)
        return Costs(in_child(fan, store, experiments), in_child(report, store))


def plot(costs: Mapping[int, Costs], path: Path) -> None:
    """Draw seconds and peak memory by experiments."""
    chart = Chart(figsize=(8, 3.6), layout="constrained")
    left, right = chart.subplots(1, 2)
    sizes = list(costs)
    for name, of in (("fan-out", [c.fan_out for c in costs.values()]), ("report", [c.report for c in costs.values()])):
        left.plot(sizes, [cost.seconds for cost in of], marker="o", markersize=4, label=name)
        right.plot(sizes, [cost.memory / 1e6 for cost in of], marker="o", markersize=4)
    longest = costs[sizes[-1]].fan_out.seconds
    left.plot([0, sizes[-1]], [0, longest], color=SOFT, linestyle=":", label="proportional to experiments")
    for axes, unit in ((left, "seconds"), (right, "peak memory, MB")):
        axes.set_ylim(bottom=0)
        dress(axes, "experiments", unit)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(chart, "Cost of a grid run beside its trainings", legend=left))


def rows(costs: Mapping[int, Costs]) -> list[Row]:
    """A line for each number of experiments."""
    return [
        {
            "experiments": size,
            "fan-out, s": round(cost.fan_out.seconds, 2),
            "ms an experiment": round(1e3 * cost.fan_out.seconds / size, 1),
            "fan-out, peak MB": round(cost.fan_out.memory / 1e6),
            "report, s": round(cost.report.seconds, 2),
            "report, peak MB": round(cost.report.memory / 1e6),
        }
        for size, cost in costs.items()
    ]


def figures(costs: Mapping[int, Costs]) -> list[Figure]:
    """The bar, and how time and memory grow from the fewest to the most experiments."""
    found = [
        Figure(
            key=f"fan-out-{size}",
            text=f"{size} no-op experiments, planned and fanned out, without their report",
            value=cost.fan_out.seconds,
            unit="s",
            at_most=AT_MOST if size == BARRED else None,
        )
        for size, cost in costs.items()
    ]
    found += [
        Figure(key=f"report-{size}", text=f"their report, {size} rows", value=cost.report.seconds, unit="s")
        for size, cost in costs.items()
    ]
    found += [
        Figure(
            key=f"fan-out-and-report-{size}",
            text=f"{size} no-op experiments, planned, fanned out and reported on",
            value=cost.fan_out.seconds + cost.report.seconds,
            unit="s",
        )
        for size, cost in costs.items()
    ]
    few, many = min(costs), max(costs)
    if few < many:
        found += growth("fan-out", "an experiment", {size: costs[size].fan_out for size in (few, many)})
        found += growth("report", "a row", {size: costs[size].report for size in (few, many)})
    return found


def growth(name: str, one: str, costs: Mapping[int, Cost]) -> list[Figure]:
    """How the time and memory of a step grow from few experiments to many."""
    (few, before), (many, after) = costs.items()
    return [
        Figure(
            key=f"{name}-growth",
            text=f"{name}: time of {one} at {many} over that at {few}",
            value=after.seconds / many / (before.seconds / few),
            unit="x",
        ),
        Figure(
            key=f"{name}-memory",
            text=f"{name}: memory that {one} adds, from {few} to {many}",
            value=(after.memory - before.memory) / (many - few) / 1e3,
            unit="kB",
        ),
    ]


@click.command(help=__doc__)
@click.option("--size", "sizes", multiple=True, type=int, default=(50, 100, 200), show_default=True)
@click.option("--plot", "picture", type=click.Path(path_type=Path), default=PLOT, help="Where the plot goes.")
@options.results
def main(sizes: tuple[int, ...], picture: Path, folder: Path) -> None:
    """Measure each number of experiments, draw the plot and save the figures."""
    with prefect_server() as environment, photographs(None, _IMAGES) as (images, described):
        os.environ.update(environment)  # the children inherit it
        costs = {size: measure(images, size) for size in sorted(sizes)}
    plot(costs, picture)
    save(
        "fan_out",
        __doc__,
        folder,
        images=described,
        settings={"sizes": sorted(sizes), "slots": _SLOTS},
        figures=figures(costs),
        rows=rows(costs),
    )


if __name__ == "__main__":
    main()
