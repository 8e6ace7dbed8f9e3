from dataclasses import replace

import numpy as np
import pytest
from pydantic_core import PydanticSerializationError

from bloodcell.artifacts import LatestRun, grid_run, latest_grid_run, write_model
from bloodcell.config import GridConfig
from bloodcell.report import drawings
from bloodcell.report.drawings import FILE, Drawing, LastDrawings, draw
from bloodcell.report.folder import Folder
from bloodcell.report.publishing import publish
from tests.report.conftest import folder_of


@pytest.fixture
def drawn():
    """What was drawn, by its title."""
    titles = []

    def chart(title: str, values: object) -> bytes:
        titles.append(title)
        return f"{title} of {values}".encode()

    return chart, titles


def drawn_of(charts, last) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    draw(charts, last, files)
    return files


def published(store, charts):
    """The charts as those of the grid's last report."""
    for file, data in drawn_of(charts, LastDrawings.of(store, "g")).items():
        store.write(grid_run("g", "r", file), data)
    write_model(store, latest_grid_run("g"), LatestRun(run_id="r"))


def test_only_what_changed_is_drawn_again(store, drawn):
    chart, titles = drawn
    charts = {name: Drawing(chart, (name, np.arange(3) / 3)) for name in "ab"}
    published(store, charts)
    assert titles == ["a", "b"]
    changed = charts | {"b": Drawing(chart, ("b", np.arange(3) / 3 + [0, 0, 1e-15])), "c": charts["a"]}
    files = drawn_of(changed, LastDrawings.of(store, "g"))
    assert titles == ["a", "b", "b"]
    assert files["a"] == files["c"] == store.read(grid_run("g", "r", "a"))
    assert set(files) == {"a", "b", "c", FILE}


def test_what_the_last_report_does_not_hold_as_it_was_is_drawn_again(store, drawn):
    chart, titles = drawn
    charts = {"a": Drawing(chart, ("a", None))}
    published(store, charts)
    store.write(grid_run("g", "r", "a"), b"broken")
    assert drawn_of(charts, LastDrawings.of(store, "g"))["a"] == b"a of None"
    (store.root / grid_run("g", "r", "a")).unlink()
    drawn_of(charts, LastDrawings.of(store, "g"))
    store.write(grid_run("g", "r", FILE), b"{")
    drawn_of(charts, LastDrawings.of(store, "g"))
    assert titles == ["a"] * 4
    assert LastDrawings.of(store, "another").charts == {}


def test_what_was_drawn_since_and_is_gone_is_drawn_again(store, drawn, tmp_path):
    chart, titles = drawn
    since = Folder(tmp_path / "charts")
    charts = {"a": Drawing(chart, ("a", None))}
    since[charts["a"].digest] = b"ahead"
    assert drawn_of(charts, LastDrawings.of(store, "g", since))["a"] == b"ahead"
    since.path(charts["a"].digest).unlink()
    assert drawn_of(charts, LastDrawings.of(store, "g", since))["a"] == b"a of None"
    assert titles == ["a"]


def test_other_code_or_libraries_draw_again(drawn, monkeypatch):
    chart = Drawing(drawn[0], ("a", None))
    before = chart.digest
    assert replace(chart).digest == before
    monkeypatch.setattr(drawings, "version", lambda _: "0")
    drawings.code_digest.cache_clear()
    assert replace(chart).digest != before
    drawings.code_digest.cache_clear()


def test_a_value_whose_hash_would_tell_nothing_is_refused(drawn):
    with pytest.raises(PydanticSerializationError, match="a chart of a object"):
        _ = Drawing(drawn[0], ("a", object())).digest


def test_a_report_of_the_same_results_is_the_same_and_draws_nothing(make, figures, store, monkeypatch, tmp_path):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"hidden_layers": 2}})
    example = make(grid, dict.fromkeys("ab", figures(0.9)), sources={"train": 9, "validation": 9, "test": 9, "seen": 9})
    publish(store, example.run, folder_of(tmp_path / "report", example.files))

    def drawing(*_):
        raise AssertionError("nothing has changed")

    monkeypatch.setattr("bloodcell.report.style._drawn", drawing)
    assert example.reported(LastDrawings.of(store, "g")) == example.files
