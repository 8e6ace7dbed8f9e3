import json
import re

import pytest

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.grids import load_grid
from bloodcell.report import build_report, publish
from bloodcell.store import LocalStore

pytestmark = pytest.mark.usefixtures("undrawn")

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


@pytest.fixture
def grid():
    return GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}})


def opening(example):
    return example.markdown.split("## Results")[0]


def test_headline_names_the_images_and_cells_behind_the_best(make, figures, grid):
    text = opening(make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN))
    assert (
        "**90.00% by b** (InceptionV3 - F - D(16), learning rate 1e-5), on 2,500 test images of 71 source cells."
        in text
    )
    assert "Source cells unknown" not in text


def test_headline_counts_the_rows_that_are_as_good_for_all_one_can_tell(make, figures):
    grid = GridConfig(name="g", experiments={f"h{number}": {"hidden_layers": number} for number in range(4)})
    outcomes = dict(zip(("h0", "h1", "h2", "h3"), map(figures, (0.92, 0.9, 0.88, 0.5)), strict=True))
    text = opening(make(grid, outcomes, sources=KNOWN))
    assert "2 of the 3 other rows are too close to tell apart with this many cells." in text


def test_headline_names_every_row_of_a_tie(make, figures, grid):
    assert "**90.00% by a and b** (a tie)" in opening(make(grid, {"a": figures(0.9), "b": figures(0.9)}))


def test_seen_cells_stand_beside_new_ones(make, figures, grid):
    best = figures(0.9)
    best = type(best)(accuracy={**best.accuracy, "seen": 0.99})
    example = make(grid, {"a": figures(0.8), "b": best}, sources=KNOWN)
    assert "On 800 held-out images of cells that it saw in training it reaches 99.00%." in opening(example)
    assert "| seen | 800 | 240 | 0.1000 | 0.9900 |" in example.markdown


def test_synthetic_data_are_called_so_in_title_headline_and_every_caption(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}, synthetic=True).markdown
    assert "synthetic data" in text.splitlines()[0]
    assert "Synthetic data: best test accuracy" in text
    captions = [line for line in text.splitlines() if re.match(r"\*[^*]", line)]
    assert len(captions) == text.count("![") == 5
    assert all(caption.endswith("Synthetic images.*") for caption in captions)


def test_real_data_are_not_called_synthetic(make, figures, grid):
    assert "synthetic" not in make(grid, {"a": figures(0.8), "b": figures(0.9)}).markdown.lower()


def test_failed_rows_are_in_the_opening_the_table_and_the_details(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": "out of memory\n  Remedy: a smaller batch"}).markdown
    assert "1 of 2 rows ended without a result: b." in text
    assert "| b | 1 | **16** | 1e-5 | failed: out of memory |  |" in text
    assert "**Failed**: out of memory\n\nRemedy: a smaller batch\n" in text
    assert "b-curves.png" not in text


def test_a_run_in_which_every_row_failed_is_reported_without_pictures(make, grid):
    files = make(grid, {"a": "no store", "b": "no store"}).files
    assert set(files) == {"report.md", "report.html", "results.csv"}
    assert "None of the 2 rows has a result." in files["report.md"].decode()


def test_a_grid_of_one_row_is_reported(make, figures):
    text = make(GridConfig(name="g", experiments={"only": {}}), {"only": figures(0.9)}).markdown
    assert "nothing to compare" in text
    assert "chosen by" not in text


@pytest.mark.parametrize(
    ("changes", "caution"),
    [
        ({"split": "pooled"}, "**Pooled split**"),
        ({"seed": 1}, "Seeds 0 and 1."),
        ({"test_fraction": 0.3}, "Rows differ in test fraction"),
    ],
)
def test_what_limits_a_comparison_is_said(make, figures, changes, caution):
    example = make(GridConfig(name="g", experiments={"a": {}, "b": changes}), {"a": figures(0.8), "b": figures(0.9)})
    assert caution in opening(example)
    plain = make(GridConfig(name="g", experiments={"a": {}}), {"a": figures(0.8)})
    assert caution not in opening(plain)


def test_rows_of_several_machines_are_told_apart(make, figures, grid):
    gpu = {"device": "GPU", "packages": {"tensorflow": "2.21.0"}}
    cpu = {"device": "CPU", "packages": {"tensorflow": "2.21.0"}, "git_commit": None}
    example = make(grid, {"a": figures(0.8, environment=gpu), "b": figures(0.9, environment=cpu)})
    assert "**Several machines**" in opening(example)
    text = example.markdown
    assert "| device | GPU (a); CPU (b) |" in text
    assert "| tensorflow | 2.21.0 |" in text
    assert "git commit" not in text


def test_provenance_tells_data_split_code_and_keys(make, figures, grid):
    example = make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN)
    rows = (example.run.rows[0], example.run.rows[1].model_copy(update={"status": "reused"}))
    text = build_report(example.run.model_copy(update={"rows": rows}), example.info, example.results)[
        "report.md"
    ].decode()
    for fact in (
        "| command | python -m flows.grid --grid blood-cell |",
        "| size | 12,500 images, 348 source cells |",
        "| dropped | 1 duplicate, 0 other files |",
        "| images in test | 2,500 of 71 source cells |",
        f"| code version | {'c' * 16} |",
        f"| a | {rows[0].key} | trained |",
        f"| b | {rows[1].key} | reused |",
    ):
        assert fact in text


@pytest.mark.parametrize("name", ["blood-cell", "backbones"])
def test_shipped_grids_are_reported(make, figures, name):
    grid = load_grid(name)
    text = make(grid, {row.name: figures(0.8) for row in grid.rows}).markdown
    assert all(f"\n### {row.name}\n" in text for row in grid.rows)


def test_the_same_run_gives_the_same_bytes(make, figures, grid):
    example = make(grid, {"a": figures(0.8), "b": figures(0.9)})
    again = make(grid, {"a": figures(0.8), "b": figures(0.9)})
    assert example.files == again.files


class RecordingStore(LocalStore):
    """Remembers the order of writing."""

    def __init__(self, root):
        super().__init__(root)
        self.written = []

    def write(self, name, data):
        self.written.append(name)
        super().write(name, data)


def test_publish_writes_the_pointer_last(tmp_path, make, figures, grid):
    store = RecordingStore(tmp_path)
    run = make(grid, {"a": figures(0.8), "b": figures(0.9)}).run
    publish(store, run, {"report.md": b"# x", "plots/a.png": b"y"})
    folder = f"grids/g/{run.run_id}"
    assert store.written == [
        f"{folder}/report.md",
        f"{folder}/plots/a.png",
        f"{folder}/grid.json",
        "grids/g/latest.json",
    ]
    assert json.loads(store.read("grids/g/latest.json")) == {"run_id": run.run_id}
    assert artifacts.read_grid_run(store, "g", run.run_id) == run


def test_the_epoch_that_is_kept_is_named(make, figures, grid):
    markdown = make(grid, {"a": figures(0.9), "b": figures(0.9)}).markdown
    assert "10 epochs, of which epoch 8 was the best and is kept" in markdown
