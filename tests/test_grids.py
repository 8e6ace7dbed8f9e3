from pathlib import Path

import pytest

from bloodcell.errors import GridError
from bloodcell.grids import grid_names, load_grid

SEED_ROWS = [
    ("F - D(8)", 1e-5),
    ("F - D(16)", 1e-5),
    ("F - D(32)", 1e-5),
    ("F - D(8) - D(8)", 1e-5),
    ("F - D(8) - D(8) - D(8)", 1e-5),
    ("F - D(8)", 5e-5),
    ("F - D(8)", 1e-4),
]


def test_the_promised_grids_ship():
    assert set(grid_names()) == {
        "backbones", "blood-cell", "demo", "mobilenet", "resnet50", "vgg16", "xception"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("blood-cell", "InceptionV3"),
        ("mobilenet", "MobileNet"),
        ("resnet50", "ResNet50"),
        ("xception", "Xception"),
        ("vgg16", "VGG16"),
    ],
)
def test_the_seeds_seven_rows(name, backbone):
    rows = load_grid(name).rows
    assert [(row.config.architecture, row.config.learning_rate) for row in rows] == [
        (f"{backbone} - {head}", rate) for head, rate in SEED_ROWS
    ]
    for row in rows:
        assert (row.config.weights, row.config.dropout, row.config.optimizer) == ("imagenet", 0.5, "adam")


def test_backbones_has_a_row_a_backbone():
    rows = load_grid("backbones").rows
    assert [row.config.architecture for row in rows] == [
        f"{name} - F - D(16) - D(16)" for name in ("MobileNet", "InceptionV3", "ResNet50", "Xception", "VGG16")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "is not YAML"),
        ("name: g\nexperiments:\n  a: {}\n  a: {epochs: 3}\n", "duplicate key"),
        ("- 1\n", "is not valid"),
        ("name: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_grid_is_refused(tmp_path: Path, text: str, said: str):
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    with pytest.raises(GridError, match=said):
        load_grid(str(file))


def test_a_grid_file_is_read_with_yaml_1_2_numbers(tmp_path: Path):
    file = tmp_path / "grid.yaml"
    file.write_text("name: own\nbase: {learning_rate: 1e-5}\nexperiments: {a: {}}\n")
    assert load_grid(str(file)).base["learning_rate"] == 1e-5


def test_a_grid_that_is_not_there_is_named_with_those_that_are(tmp_path: Path):
    with pytest.raises(GridError, match="accepted are backbones, blood-cell"):
        load_grid("blood-cells")
    with pytest.raises(GridError, match="cannot be read"):
        load_grid(str(tmp_path / "none.yaml"))
