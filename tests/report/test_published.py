"""Reports found and fetched again, from a folder and from a bucket."""

import hashlib

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.config import GridConfig
from bloodcell.errors import CorruptObjectError, DataError, ObjectNotFoundError, StorageError
from bloodcell.published import Best, PublishedRun, fetch, find_run, published_runs, summarize
from bloodcell.report.publishing import publish
from bloodcell.store import LocalStore, open_store
from tests.report.conftest import folder_of
from tests.store.aws import simulated_aws


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path, monkeypatch):
    if request.param == "folder":
        yield LocalStore(tmp_path / "store")
        return
    with simulated_aws(monkeypatch):
        yield open_store("s3://bucket/prefix")


@pytest.fixture
def add(store, make, figures, undrawn, tmp_path):
    """Publishes a report of two rows, `a` and `b`, under a grid and a run id."""

    def add(grid: str, run_id: str, a=0.8, b=0.9, **b_changes) -> PublishedRun:
        config = GridConfig(name=grid, experiments={"a": {}, "b": {"dense_units": 16} | b_changes})
        outcomes = {name: value if isinstance(value, str) else figures(value) for name, value in (("a", a), ("b", b))}
        example = make(config, outcomes)
        files = folder_of(tmp_path / run_id, example.files)
        publish(store, example.run.model_copy(update={"run_id": run_id}), files)
        return PublishedRun(grid, run_id)

    return add


def test_runs_are_listed_newest_first_whatever_their_grid(store, add):
    first = add("one", "20261101T020000Z-aaaaaa")
    third = add("one", "20261103T020000Z-bbbbbb")
    second = add("other", "20261102T020000Z-cccccc")
    assert published_runs(store) == [third, second, first]
    assert published_runs(store, "one") == [third, first]
    assert published_runs(store, "other") == [second]


def test_a_report_that_is_still_being_published_is_not_listed(store, add):
    done = add("one", "20261101T020000Z-aaaaaa")
    store.write(artifacts.grid_run("one", "20261102T020000Z-bbbbbb", "report.html"), b"")
    store.write(artifacts.grid_run("one", "20261102T020000Z-bbbbbb", "plots/grid.json"), b"")
    assert published_runs(store) == [done]


def test_the_run_that_is_meant_is_found(store, add):
    first = add("one", "20261101T020000Z-aaaaaa")
    second = add("one", "20261101T030000Z-bbbbbb")
    third = add("other", "20261102T020000Z-cccccc")
    assert find_run(store) == find_run(store, None, "latest") == third
    assert find_run(store, "one") == find_run(store, "one", "latest") == find_run(store, "one", "20261101") == second
    assert find_run(store, "one", "20261101T02") == find_run(store, "one", first.run_id) == first


def test_what_is_not_there_is_named_with_what_is(store, add):
    with pytest.raises(ObjectNotFoundError, match="holds no report") as caught:
        find_run(store)
    assert "run a grid, or wait for the end of one" in caught.value.remedy
    add("one", "20261101T020000Z-aaaaaa")
    add("other", "20261102T020000Z-bbbbbb")
    with pytest.raises(ObjectNotFoundError, match=r"grid is 'none'; .* holds reports of one, other"):
        find_run(store, "none")
    with pytest.raises(ObjectNotFoundError, match=r"run is '2025'; the newest of one in .*: 20261101T020000Z-aaaaaa\n"):
        find_run(store, "one", "2025")
    with pytest.raises(DataError, match="object name is"):
        find_run(store, "../one")


def test_a_summary(store, add):
    summary = summarize(store, add("one", "1"))
    assert (summary.done, summary.failed, summary.dataset) == (2, 0, "cells")
    assert summary.best == Best(0.9, ("b",))
    assert f"{summary.finished:%Y-%m-%d}" == "2025-03-01"
    assert summarize(store, add("one", "2", a=0.9, b=0.8)).best == Best(0.9, ("a",))
    assert summarize(store, add("one", "3", a=0.8, b=0.8)).best == Best(0.8, ("a", "b"))


def test_a_summary_of_failures(store, add):
    some = summarize(store, add("one", "1", b="no memory left"))
    assert (some.done, some.failed, some.best) == (1, 1, Best(0.8, ("a",)))
    none = summarize(store, add("one", "2", a="no memory left", b="no memory left"))
    assert (none.done, none.failed, none.best) == (0, 2, None)


def test_rows_on_other_test_images_are_not_ranked(store, add):
    assert summarize(store, add("one", "2", split="pooled")).best is None


def test_what_a_run_was_before_its_kind_was_kept_is_read(store, add):
    run = add("one", "1", split="pooled")
    assert summarize(store, run).marks == ("split=pooled,source",)
    name = artifacts.grid_run("one", "1", "grid.json")
    description = artifacts.read_model(store, name, GridRun)
    store.write(name, description.model_dump_json(exclude={"forced", "overrides", "nightly"}).encode())
    assert summarize(store, run).marks == ("split=pooled,source",)
    several = description.model_copy(update={"grid": description.grid.model_copy(update={"seeds": 3})})
    artifacts.write_model(store, name, several.model_copy(update={"forced": True, "overrides": {"width": 0.25}}))
    assert summarize(store, run).marks == ("forced", "seeds=3", "split=pooled,source", "width=0.25")
    weights = {"weights": "/far/away/tiny.weights.h5"}
    artifacts.write_model(store, name, several.model_copy(update={"overrides": weights}))
    assert summarize(store, run).marks[-1] == "weights=tiny.weights.h5"


def test_a_run_of_another_version_is_told(store, add):
    run = add("one", "1")
    store.write(artifacts.grid_run("one", "1", "grid.json"), b"{}")
    with pytest.raises(CorruptObjectError, match=r"grids/one/1/grid\.json"):
        summarize(store, run)


def test_a_report_is_fetched_whole(store, add, tmp_path):
    run = add("one", "1")
    calls = []
    for _ in range(2):  # what is there already is no hindrance
        path = fetch(store, run, tmp_path / "reports", lambda *call: calls.append(call))
    assert path == tmp_path / "reports" / "one" / "1" / "report.html"
    fetched = {
        file.relative_to(path.parent).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.parent.rglob("*")
        if file.is_file()
    }
    root = artifacts.grid_run("one", "1", "")
    assert fetched == {
        name.removeprefix(root): hashlib.sha256(store.read(name)).hexdigest() for name in store.list(root)
    }
    assert {"report.html", "report.md", "results.csv", "plots/a-curves.png"} < set(fetched)
    assert calls == [(done, len(fetched)) for done in range(1, len(fetched) + 1)] * 2


def test_a_folder_that_cannot_be_made_is_named_with_its_option(store, add, tmp_path):
    (tmp_path / "reports").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot use") as caught:
        fetch(store, add("one", "1"), tmp_path / "reports")
    assert "--to" in caught.value.remedy
