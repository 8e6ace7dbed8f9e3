import pytest
from click.testing import CliRunner

from bloodcell.cli import cli
from bloodcell.data import synthetic
from bloodcell.data.dataset import read_info


@pytest.fixture
def run(settings, monkeypatch):
    # Few cells: the drawing has tests of its own.
    monkeypatch.setattr(synthetic.synthesize, "__kwdefaults__", {
        **synthetic.synthesize.__kwdefaults__, "train_cells": 2, "test_cells": 1, "views": 2
    })  # fmt: skip

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    return invoke


def test_the_synthetic_set_is_published_and_called_so_wherever_it_is_shown(run, store):
    said = run("data", "synthesize", "--name", "mine")
    info = read_info(store, "mine")
    assert info.synthetic
    assert info.sources_known
    for text in (said, run("data", "list"), run("data", "show", "mine")):
        assert "synthetic" in text
        assert f"mine@{info.version}" in text


def test_a_set_is_shown_with_what_each_split_leaks(run):
    assert "leakage" not in run("data", "synthesize")
    source, folder, pooled = run("data", "show", "synthetic").splitlines()[-3:]
    assert source.startswith("  leakage: no test or validation image with split source has a sibling (")
    assert folder.startswith("  leakage: 4 of 4 validation images with split folder have a sibling (")
    assert "test images" in pooled
    assert "with split pooled have a sibling (" in pooled


def test_of_a_set_of_unknown_cells_no_leakage_is_shown(run, coloured):
    assert "not known" in run("data", "show", "coloured")
    assert "leakage" not in run("data", "show", "coloured")


def test_the_synthetic_images_alone(run, store, tmp_path):
    run("data", "synthesize", "--to", str(tmp_path / "images"))
    assert len(list((tmp_path / "images").rglob("*.jpeg"))) == 4 * (2 + 1) * 2 + 4
    assert list(store.list("datasets/")) == []


def test_an_empty_store_says_how_to_fill_it(run):
    assert "data push" in run("data", "list")


def test_duplicates_and_control_characters_in_names(run, coloured_folder, tmp_path):
    source = tmp_path / "set"
    for name, file in {"a.jpeg": "EOSINOPHIL", "b\x1b[31m.jpeg": "EOSINOPHIL", "c.jpeg": "MONOCYTE"}.items():
        target = source / file / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((coloured_folder / "TRAIN" / file / "_0.jpeg").read_bytes())
    said = run("data", "push", str(source))
    assert "dropped EOSINOPHIL/b?[31m.jpeg: the same bytes as EOSINOPHIL/a.jpeg" in said
    assert "\x1b" not in said
