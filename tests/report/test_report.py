import json
import re
from dataclasses import replace

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.config import GridConfig
from bloodcell.grids import load_grid
from bloodcell.report.publishing import publish
from bloodcell.store import LocalStore
from tests.report.conftest import folder_of

pytestmark = pytest.mark.usefixtures("undrawn")

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


def test_it_is_said_how_rows_are_compared(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN).markdown
    assert "A difference in test accuracy is taken cell by cell and seed by seed." in text
    assert "corrected for" not in text  # of one comparison
    three = GridConfig(name="g", experiments={name: {"hidden_layers": n} for n, name in enumerate("abc")})
    text = make(three, dict.fromkeys("abc", figures(0.8)), sources=KNOWN).markdown
    assert "Its p is corrected for all 3 comparisons between rows, after Holm: with that many,\nsome interval" in text
    assert "cell by cell and" not in make(grid, {"a": figures(0.8), "b": figures(0.9)}).markdown


def test_words_that_a_reader_may_not_know_are_explained_once(make, figures, grid):
    example = make(grid, {"a": figures(0.8, seen=0.9), "b": figures(0.9, seen=0.9)}, sources=KNOWN)
    assert (
        "one point per split, a bar its 95% interval; seen, to the right of its line: images of training cells that"
        in example.markdown
    )
    for definition in ("Balanced accuracy is the mean", "macro F1\nis the mean", "The split seen holds images of"):
        assert example.markdown.count(definition) == 1
    assert not re.search(
        "seen[:,]|split seen", make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN).markdown
    )


def test_synthetic_data_are_called_so_in_title_headline_and_every_caption(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}, synthetic=True).markdown
    assert text.splitlines()[0] == "# Grid g: InceptionV3 on synthetic images"
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
    assert set(files) == {"report.md", "report.html", "results.csv", "runs.csv"}
    assert "None of the 2 rows has a result." in files["report.md"].decode()


def test_a_grid_of_one_row_is_reported(make, figures):
    text = make(GridConfig(name="g", experiments={"only": {}}), {"only": figures(0.9)}).markdown
    assert "so settings are not compared" in text
    assert "picked" not in text
    assert "\nTest accuracy: **90.00% by only**" in text


def test_rows_that_change_several_settings_are_counted_in_grammar(make, figures):
    both = {"dense_units": 16, "learning_rate": 1e-4}
    rows = {"a": {}, "b": {"dense_units": 16}, "c": both}
    text = make(GridConfig(name="g", experiments=rows), dict.fromkeys(rows, figures(0.8))).markdown
    assert "1 row changes several settings at once and stands in the table only." in text
    rows["d"] = both | {"dropout": 0.1}
    text = make(GridConfig(name="g", experiments=rows), dict.fromkeys(rows, figures(0.8))).markdown
    assert "2 rows change several settings at once and stand in the table only." in text


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, {"dense_units": 16}, "while the weights still change, with dropout on, and so"),
        ({"dropout": 0}, {}, "while the weights still change, with dropout on where a row has any, and so"),
        ({"dropout": 0}, {"hidden_layers": 0}, "while the weights still change, and so"),
    ],
)
def test_dropout_is_named_only_where_there_is_any(make, figures, first, second, words):
    grid = GridConfig(name="g", experiments={"a": first, "b": second})
    assert words in make(grid, {"a": figures(0.8), "b": figures(0.9)}).markdown


def test_a_split_that_some_row_has_not_is_none(make, figures, grid):
    text = make(grid, {"a": figures(0.8, seen=0.9), "b": figures(0.9)}, sources=KNOWN).markdown
    assert "| images in seen | 800 of 240 source cells; none in b |" in text
    assert "images in seen" not in make(grid, {"a": figures(0.8), "b": figures(0.9)}).markdown


def test_splits_are_described_as_they_were_made(make, figures, grid):
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    shared = "train and validation share no source cell"
    assert shared in make(grid, outcomes, sources=KNOWN).markdown
    unknown = make(grid, outcomes).markdown
    assert shared not in unknown
    assert "source cells are unknown, so the other images are split at random, by image, into train and" in unknown
    for protocol in ("folder", "pooled"):
        assert shared not in make(grid.with_overrides({"split": protocol}), outcomes, sources=KNOWN).markdown


def test_provenance_tells_data_split_code_and_keys(make, figures, grid):
    example = make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN)
    rows = (example.run.rows[0], example.run.rows[1].model_copy(update={"status": "reused"}))
    text = replace(example, run=example.run.model_copy(update={"rows": rows})).markdown
    for fact in (
        "| command | python -m flows.grid --grid blood-cell |",
        "| size | 12,500 images, 348 source cells |",
        "| dropped | 1 duplicate, 0 other files |",
        "| images in test | 2,500 of 71 source cells |",
        f"| code version | {'c' * 16} |",
        f"| a | 0 | {rows[0].key} | trained |",
        f"| b | 0 | {rows[1].key} | reused |",
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

    def upload(self, source, name):
        self.written.append(name)
        super().upload(source, name)


def test_publish_writes_the_pointer_last(tmp_path, make, figures, grid):
    store = RecordingStore(tmp_path / "store")
    run = make(grid, {"a": figures(0.8), "b": figures(0.9)}).run
    publish(store, run, folder_of(tmp_path / "report", {"report.md": b"# x", "plots/a.png": b"y"}))
    folder = f"grids/g/{run.run_id}"
    assert store.written == [
        f"{folder}/report.md",
        f"{folder}/plots/a.png",
        f"{folder}/grid.json",
        "grids/g/latest.json",
    ]
    assert json.loads(store.read("grids/g/latest.json")) == {"run_id": run.run_id}
    assert artifacts.read_model(store, artifacts.grid_run("g", run.run_id, "grid.json"), GridRun) == run


def test_the_epoch_that_is_kept_is_named(make, figures, grid):
    outcomes = {"a": figures(0.9), "b": figures(0.9, epochs=8)}
    markdown = make(grid, outcomes).markdown
    assert "10 epochs, of which epoch 8 is kept, " in markdown
    assert "8 epochs, 21,802,784 parameters" in markdown
    for monitor, extreme in (("val_loss", "lowest"), ("val_accuracy", "highest")):
        stopping = grid.with_overrides({"early_stopping": {"monitor": monitor}})
        text = make(stopping, outcomes).markdown
        assert f"10 epochs, of which epoch 8 is kept by early stopping ({extreme} {monitor}), " in text
        assert f"8 epochs, of which the last is kept by early stopping ({extreme} {monitor}), " in text
    never = grid.with_overrides({"early_stopping": {"restore_best": False}})
    assert "8 epochs, of which the last is kept, " in make(never, outcomes).markdown


def test_each_distinct_reason_is_told_with_its_seeds(make, figures, grid):
    memory = "out of memory\n  Remedy: a smaller batch"
    outcomes = {
        "a": [figures(0.8), "the loss became NaN", figures(0.8), "the loss became NaN"],
        "b": [memory] * 3 + ["x"],
    }
    text = make(grid.model_copy(update={"seeds": 4}), outcomes, sources=KNOWN).markdown
    assert text.count("Failed with seeds 1 and 3: the loss became NaN") == 1
    assert (
        "**Failed** with seeds 0 to 2: out of memory\n\nRemedy: a smaller batch\n\n**Failed** with seed 3: x\n" in text
    )


def test_settings_of_all_rows_are_a_table_and_the_architecture_is_read_once(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}).markdown
    assert "| Setting of all rows | Value |\n|---|---|\n| backbone | InceptionV3 |\n" in text
    assert "| dense count | 8 |" not in text
    assert text.count("InceptionV3 - F - D(8) reads from input to output: the backbone; F, which flattens") == 1


def test_what_no_split_holds_is_told_with_the_reason(make, figures, grid):
    example = make(grid, {"a": figures(0.8, seen=0.9), "b": figures(0.9, seen=0.9)}, sources=KNOWN)
    held = 8000 + 2000 + 2500 + 800
    declared = example.info.declared | {"TEST_SIMPLE": {"EOSINOPHIL": 60, "MONOCYTE": 9}}
    info = example.info.model_copy(update={"images": held + 69 + 93, "declared": declared})
    text = replace(example, info=info).markdown
    assert (
        "| images left out by split source | 162: 69 declared TEST_SIMPLE and 93 whose cell is in the test too |"
        in text
    )
    assert "| declared TEST_SIMPLE | 69: EOSINOPHIL 60 and MONOCYTE 9; no split uses them, as they lie behind" in text
    whole = example.info.model_copy(update={"images": held})
    assert "| images left out by split source | 0 |" in replace(example, info=whole).markdown


def test_trainings_that_differ_are_counted_where_they_are_many(make, figures):
    def under(numpy: str):
        return figures(0.8, environment={"packages": {"numpy": numpy}, "device": "CPU"})

    rows = {name: {"hidden_layers": n} for n, name in enumerate("abcdefg")}
    grid = GridConfig(name="g", experiments=rows)
    upgraded = [under("2.4.0"), under("2.4.0"), under("2.4.1")]
    text = make(grid.model_copy(update={"seeds": 3}), dict.fromkeys(rows, upgraded), sources=KNOWN).markdown
    assert "| numpy | 2.4.0 (14 trainings, seeds 0 and 1); 2.4.1 (7 trainings, seed 2) |" in text
    assert "| device | CPU |" in text
    once = {name: under("2.4.0" if name == "a" else "2.4.1") for name in rows}
    assert "| numpy | 2.4.0 (a); 2.4.1 (b, c, d and 3 other rows) |" in make(grid, once, sources=KNOWN).markdown
    few = dict.fromkeys("ab", upgraded[1:])
    two = GridConfig(name="g", experiments={name: rows[name] for name in "ab"}, seeds=2)
    assert "| numpy | 2.4.0 (a seed 0 and b seed 0); 2.4.1 (a seed 1 and b seed 1) |" in make(two, few).markdown
