import pytest

from bloodcell.config import GridConfig

pytestmark = pytest.mark.usefixtures("undrawn")

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


@pytest.mark.parametrize(
    ("changes", "caution"),
    [
        ({"split": "pooled"}, "**Pooled split**"),
        ({"seed": 1}, "Seeds 0 and 1."),
        ({"split": "pooled"}, "Rows differ in split, which chooses the test images"),
        ({"split": "pooled"}, "training with split pooled, so validation figures may be too good"),
        ({"split": "folder"}, "training with split folder, so validation figures may be too good"),
    ],
)
def test_what_limits_a_comparison_is_said(make, figures, changes, caution):
    example = make(
        GridConfig(name="g", experiments={"a": {}, "b": changes}), {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN
    )
    assert caution in example.opening
    plain = make(GridConfig(name="g", experiments={"a": {}}), {"a": figures(0.8)}, sources=KNOWN)
    assert caution not in plain.opening


@pytest.mark.parametrize("changes", [{"seed": 1}, {"test_fraction": 0.3}, {"split": "folder"}])
def test_test_images_differ_only_where_the_dataset_declares_none(make, figures, changes):
    grid = GridConfig(name="g", experiments={"a": {}, "b": changes})
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    assert "Different test images" not in make(grid, outcomes, sources=KNOWN).opening
    if "split" not in changes:
        assert "**Different test images**" in make(grid, outcomes, sources=KNOWN, declares_test=False).opening


def test_one_run_per_setting_is_said_where_it_is_so(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}).markdown
    assert "**One run per setting**: Seed 0. No interval covers the variation from run to run" in text
    assert "There is one run per setting, so nothing is claimed beyond these runs." in text


def test_rows_of_several_machines_are_told_apart(make, figures, grid):
    gpu = {"device": "GPU", "packages": {"tensorflow": "2.21.0"}}
    cpu = {"device": "CPU", "packages": {"tensorflow": "2.21.0"}, "git_commit": None}
    example = make(grid, {"a": figures(0.8, environment=gpu), "b": figures(0.9, environment=cpu)})
    assert (
        "**Learning times do not compare**: Rows ran under different conditions: device GPU and CPU.\n"
        in example.opening
    )
    text = example.markdown
    assert "| device | GPU (a); CPU (b) |" in text
    assert "| tensorflow | 2.21.0 |" in text
    assert "git commit" not in text


def test_more_threads_are_no_other_device(make, figures, grid):
    two, four = ({"device": "CPU", "processor": "x", "threads": threads} for threads in (2, 4))
    text = make(grid, {"a": figures(0.8, environment=two), "b": figures(0.9, environment=four)}).opening
    assert "under different conditions: number of CPU threads 2 and 4." in text
    assert "device" not in text
    same = make(grid, {"a": figures(0.8, environment=two), "b": figures(0.9, environment=two)})
    assert "Learning times do not compare" not in same.opening


@pytest.mark.parametrize("options", [{}, {"sources": KNOWN}])
@pytest.mark.parametrize("protocol", ["source", "folder", "pooled"])
def test_validation_that_may_share_cells_is_said_to(make, figures, grid, protocol, options):
    text = make(grid.with_overrides({"split": protocol}), {"a": figures(0.8), "b": figures(0.9)}, **options).opening
    assert ("**Validation not independent**" in text) == (protocol != "source" or not options)
