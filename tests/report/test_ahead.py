"""Charts drawn before a report is asked for."""

import pytest

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.report import charts, drawings
from bloodcell.report.ahead import draw_ahead
from bloodcell.report.drawings import LastDrawings
from bloodcell.report.folder import Folder
from tests.report.conftest import Figures, build


@pytest.fixture
def example(store):
    """Two rows that have a result, which the store holds, and a third that failed."""
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}, "c": {"dense_units": 32}})
    splits = {"train": 0.9, "validation": 0.8}
    figures = {"a": Figures(splits | {"test": 0.75}), "b": Figures(splits | {"test": 0.5}), "c": "no memory"}
    built = build(grid, figures)
    for key, result in built.results.items():
        artifacts.write_model(store, artifacts.experiment(key, "result.json"), result)
    return built


@pytest.fixture
def drawn(monkeypatch):
    """The kinds of chart that were drawn, in order."""
    kinds = []
    for kind in ("_comparison", "_curves", "_confusion"):
        original = getattr(charts, kind)

        def noting(*arguments, original=original, kind=kind):
            kinds.append(kind)
            return original(*arguments)

        monkeypatch.setattr(charts, kind, noting)
        # What a chart is of is told by its function's name too.
        noting.__module__, noting.__qualname__ = original.__module__, original.__qualname__
    return kinds


def test_a_report_draws_only_what_was_not_drawn_ahead(store, example, drawn, tmp_path):
    last = LastDrawings.of(store, example.run.grid.name, Folder(tmp_path / "charts"))
    for row in example.rows:
        draw_ahead(store, example.run.model_copy(update={"rows": row.outcomes}), example.info, last)
    assert drawn == ["_curves", "_confusion"] * 2
    files = example.reported(last)
    assert drawn == [*["_curves", "_confusion"] * 2, "_comparison"]
    assert files == example.files


def test_a_row_without_a_result_has_no_charts(store, example, drawn, tmp_path):
    failed = example.run.model_copy(update={"rows": example.rows[2].outcomes})
    draw_ahead(store, failed, example.info, LastDrawings.of(store, "g", Folder(tmp_path / "charts")))
    assert drawn == []


def test_the_code_that_draws_is_told_when_it_is_imported_and_not_later(monkeypatch):
    drawings.code_digest.cache_clear()
    charts.import_what_draws()
    with monkeypatch.context() as later:
        later.setattr(drawings, "version", lambda _: "another")
        told = drawings.code_digest()
    drawings.code_digest.cache_clear()
    assert told == drawings.code_digest()
