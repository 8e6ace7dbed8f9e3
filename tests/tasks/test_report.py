"""The report's task on a real Prefect server."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from bloodcell import artifacts
from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.errors import TransientError
from bloodcell.report.comparisons import compare
from bloodcell.report.headline import result_of
from bloodcell.report.rows import finished
from bloodcell.store import LocalStore
from tasks.labels import artifact_key
from tasks.report import report_grid
from tests.report.conftest import Figures, build, leakage_of


@pytest.fixture
def example(store, request):
    """A run of two rows, one failed; the store holds the other's result."""
    grid = GridConfig(
        name=request.node.originalname.replace("_", "-")[:60], experiments={"a": {}, "b": {"dense_units": 16}}
    )
    outcomes = {"a": Figures({"train": 0.9, "validation": 0.8, "test": 0.75}), "b": "no memory"}
    built = build(grid, outcomes, leakage=getattr(request, "param", ()))
    for key, result in built.results.items():
        artifacts.write_model(store, artifacts.experiment(key, "result.json"), result)
    return built


@flow
def reporting(store, example):
    with TemporaryDirectory() as folder:
        return report_grid(store, example.run, example.info, Path(folder))


def shown(key: str) -> list:
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))


def test_a_run_leaves_its_results_and_its_report_in_the_history_of_its_grid(prefect_server, store, example):
    name = example.run.grid.name.strip("-")
    for _ in range(2):
        run, url, result = reporting(store, example)
    assert run == example.run
    assert url == f"{store.url}/grids/{example.run.grid.name}/{example.run.run_id}/report.html"
    assert result == "Test accuracy: 75.00% by a. 1 of 2 rows failed."
    table, _ = shown(f"results-{name}")
    assert table.type == "table"
    assert '"Test accuracy": "75.00%"' in table.data
    assert '"Reason": "no memory"' in table.data
    assert table.description.startswith(result)
    report, _ = shown(f"report-{name}")
    assert report.type == "markdown"
    assert report.data.count("](data:image/png;base64,") == 3
    assert report.task_run_id is not None


LEAKING = leakage_of(ExperimentConfig(split="pooled"), test=2490, validation=0)


@pytest.mark.parametrize("example", [(LEAKING,)], indirect=True, ids=["pooled"])
def test_both_artifacts_open_with_leakage(prefect_server, store, example):
    reporting(store, example)
    name = artifact_key("", example.run.grid.name).strip("-")
    for (artifact,) in (shown(f"results-{name}"), shown(f"report-{name}")):
        assert artifact.description.startswith("Leakage: 2,490 of 2,500 test images with split pooled have a sibling (")
        assert "in training. Test accuracy: 75.00% by a." in artifact.description


def test_a_report_that_cannot_be_shown_is_published_and_the_log_says_so(prefect_server, store, example, caplog):
    class Unsigned(LocalStore):
        def link(self, name, **_):
            raise TransientError("no credentials to sign with", remedy="wait")

    state = reporting(Unsigned(store.root), example, return_state=True)
    assert state.is_completed()
    assert store.exists(artifacts.grid_run(example.run.grid.name, example.run.run_id, "report.html"))
    assert shown(f"report-{example.run.grid.name.strip('-')}") == []
    assert "the report could not be shown here: TransientError('no credentials to sign with')" in caplog.messages


def test_a_summary_is_the_reports_first_words(make_rows):
    assert result_of(*make_rows({"a": 0.5, "b": 0.75})) == "Best test accuracy: 75.00% by b."
    assert result_of(*make_rows({"a": "x", "b": "x"})) == "None of the 2 rows has a result."
    assert result_of(*make_rows({"a": 0.5, "b": "x"}, synthetic=True)) == (
        "Synthetic data: test accuracy: 50.00% by a. 1 of 2 rows failed."
    )


@pytest.fixture
def make_rows():
    def make(outcomes, **options):
        grid = GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}})
        figures = {
            name: Figures(dict.fromkeys(("train", "validation", "test"), value)) if isinstance(value, float) else value
            for name, value in outcomes.items()
        }
        built = build(grid, figures, **options)
        return built.rows, built.info, compare(finished(built.rows))

    return make
