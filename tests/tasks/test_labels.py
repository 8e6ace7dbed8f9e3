import uuid

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

from bloodcell.config import GridConfig
from tasks.labels import run_name, tag_flow_run, tags


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (("blood-cell", None, None), "blood-cell on blood-cells"),
        (("blood-cell", "mine@0123", {}), "blood-cell on mine@0123"),
        (("demo", None, {"epochs": 2, "seed": 1}), "demo on synthetic, epochs=2, seed=1"),
        (("demo", None, {"weights": "w" * 99}), f"demo on synthetic, weights={'w' * 52}…"),
        (("no-such-grid", None, None), "no-such-grid"),
    ],
)
def test_a_run_is_called_by_what_a_person_asked_for(parameters, name):
    assert run_name(*parameters) == name


def test_a_grid_of_ones_own_is_called_by_the_name_it_gives_itself(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text("{name: mine, dataset: cells, experiments: {a: {}}}")
    assert run_name(str(path), None, None) == "mine on cells"


def test_the_version_of_a_dataset_is_no_part_of_its_tag():
    grid = GridConfig(name="g", dataset="cells@0123456789abcdef", experiments={"a": {}})
    assert tags(grid) == ("grid:g", "dataset:cells")


@flow
def tagged(new: str) -> None:
    tag_flow_run(["nightly", new])


def test_a_flow_run_keeps_the_tags_it_has(prefect_server):
    new = f"grid:{uuid.uuid4()}"
    tagged.with_options(name="tagged")(new)
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[new])))
        assert run.tags == ["nightly", new]


def test_a_server_that_takes_no_tags_fails_no_run(prefect_server, monkeypatch):
    def refuse(*args, **kwargs):
        raise TimeoutError("no answer")

    monkeypatch.setattr(SyncPrefectClient, "update_flow_run", refuse)
    assert tagged("grid:g", return_state=True).is_completed()
