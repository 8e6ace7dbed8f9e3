from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.cli import cli
from bloodcell.config import GridConfig
from bloodcell.errors import ObjectNotFoundError
from bloodcell.report.publishing import publish
from tests.report.conftest import folder_of


@pytest.fixture
def invoke(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> click.testing.Result:
        return CliRunner().invoke(cli, ["report", *arguments], catch_exceptions=False)

    return invoke


@pytest.fixture
def add(store, tmp_path):
    """Publishes a report of a row `a` that is done, and a row `b` that failed."""

    def add(grid: str, run_id: str, **fields) -> None:
        overrides = fields.get("overrides", {})
        config = GridConfig(name=grid, base=overrides, experiments={"a": {}, "b": {"dense_units": 16}})
        rows = [
            RowOutcome(name=row.name, key="k", config=row.config, changed=row.changed, status=status)
            for row, status in zip(config.rows, ("trained", "failed"), strict=True)
        ]
        now = datetime.now(UTC)
        run = GridRun(
            run_id=run_id, grid=config, dataset="cells", dataset_version="d", code_version="c", rows=tuple(rows),
            started=now, finished=now, **fields,
        )  # fmt: skip
        files = {"report.html": f"<p>{grid}".encode(), "results.csv": b"row,test_accuracy\na,0.8343\nb,\n"}
        publish(store, run, folder_of(tmp_path / run_id, files))

    return add


def test_reports_are_listed(invoke, add):
    add("one", "20261101T020000Z-aaaaaa")
    add("other", "20261102T020000Z-bbbbbb")
    heading, *lines = invoke("list").output.splitlines()
    assert heading.split() == ["GRID", "RUN", "FINISHED", "DATASET", "ROWS", "BEST", "TEST", "ACCURACY", "RUN", "AS"]
    today = f"{datetime.now().astimezone():%Y-%m-%d}"
    for line, grid, run in zip(lines, ("other", "one"), ("02T020000Z-bbbbbb", "01T020000Z-aaaaaa"), strict=True):
        name, run_id, date, _, dataset, *rest = line.split()
        assert (name, run_id, date, dataset) == (grid, f"202611{run}", today, "cells")
        assert rest == ["1", "done,", "1", "failed", "83.43%", "a"]
    assert [line.split()[0] for line in invoke("list", "one").output.splitlines()] == ["GRID", "one"]


def test_runs_of_one_grid_are_told_apart(invoke, add):
    runs = [
        {},
        {"nightly": "compare"},
        {"nightly": "restart"},
        {"forced": True},
        {"overrides": {"split": "pooled", "epochs": 3}},
        {"overrides": {"augmentation": {"vertical_flip": True, "rotation": 15}}},
    ]
    for number, fields in enumerate(runs):
        add("one", f"2026110{9 - number}T020000Z-aaaaaa", **fields)
    heading, *lines = invoke("list").output.splitlines()
    place = heading.index("RUN AS")
    assert [line[place:] for line in lines] == [
        "", "night", "restart", "forced", "split=pooled epochs=3",
        'augmentation={"vertical_flip": true, "rotation": 15}']  # fmt: skip


def test_older_reports_are_listed_on_request(invoke, add):
    for number in range(3):
        add("one", f"2026110{number}T020000Z-aaaaaa")
    result = invoke("list", "--last", "2")
    assert [line.split()[1][:8] for line in result.stdout.splitlines()[1:]] == ["20261102", "20261101"]
    assert "1 older: --last 3" in result.stderr


def test_one_that_cannot_be_read_hides_no_other(invoke, add, store):
    add("one", "20261101T020000Z-aaaaaa")
    store.write(artifacts.grid_run("one", "20261102T020000Z-bbbbbb", "grid.json"), b"{}")
    _, broken, whole = invoke("list").output.splitlines()
    assert "20261102T020000Z-bbbbbb" in broken
    assert "cannot be read: grids/one/" in broken
    assert "1 done" in whole


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "other/20261102T020000Z-cccccc"),
        (["latest"], "other/20261102T020000Z-cccccc"),
        (["one"], "one/20261101T030000Z-bbbbbb"),
        (["one", "latest"], "one/20261101T030000Z-bbbbbb"),
        (["one", "20261101T02"], "one/20261101T020000Z-aaaaaa"),
    ],
)
def test_a_report_is_fetched(invoke, add, arguments, expected):
    add("one", "20261101T020000Z-aaaaaa")
    add("one", "20261101T030000Z-bbbbbb")
    add("other", "20261102T020000Z-cccccc")
    printed = invoke("fetch", *arguments).stdout
    assert printed == f"reports/{expected}/report.html\n"
    assert Path(printed.strip()).read_text() == f"<p>{expected.split('/')[0]}"


@pytest.mark.parametrize(("started", "said"), [(0, ""), (1, "no browser could be started")])
def test_a_report_is_opened(invoke, add, monkeypatch, started, said):
    add("one", "1")
    opened = []
    monkeypatch.setattr(click, "launch", lambda path: opened.append(path) or started)
    result = invoke("fetch", "--to", "here", "--open")
    assert opened == ["here/one/1/report.html"]
    assert said in result.stderr


def test_no_report_yet(invoke):
    for command in ("list", "fetch"):
        with pytest.raises(ObjectNotFoundError, match="holds no report"):
            invoke(command)
