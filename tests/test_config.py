import pytest
from pydantic import BaseModel, ValidationError

from bloodcell.backbones import BACKBONES
from bloodcell.config import Augmentation, EarlyStopping, ExperimentConfig, GridConfig
from bloodcell.errors import ConfigError, GridError
from bloodcell.values import validated


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"learning_rate": -1}, "learning_rate: Input should be greater than 0; received -1"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learnin_rate": 1e-3}, "learnin_rate: no such field (did you mean 'learning_rate'?)"),
        ({"backbone": "VGG19"}, "'MobileNet', 'InceptionV3', 'ResNet50', 'Xception' or 'VGG16'; received 'VGG19'"),
        ({"image_size": 74}, "image_size is 74 px; InceptionV3 accepts 75 px or more"),
        ({"width": 0.5}, "InceptionV3 has no width multiplier"),
        ({"backbone": "MobileNet", "width": 0.3}, "exist for 0.25, 0.5, 0.75, 1.0"),
        ({"weights": "model.keras"}, "weights is 'model.keras'; accepted are"),
        ({"weights": "weights/a/b.weights.h5"}, "without further folders"),
        ({"weights": "none", "weights_sha256": "0" * 64}, "weights_sha256 goes with a weights file"),
        ({"epochs": 0}, "epochs"),
        ({"dropout": 1.0}, "dropout"),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience"),
        ({"trainable": 0}, "trainable"),
        ({"trainable": True}, "trainable: received true; this field is not a yes or no"),
        ({"epochs": True}, "epochs: received true"),
        ({"early_stopping": {"patiense": 3}}, "early_stopping.patiense: no such field"),
        ({"split": "random"}, "'source', 'folder' or 'pooled'"),
    ],
)
def test_what_is_not_accepted_is_named_with_the_value_and_what_is(fields, said):
    with pytest.raises(ConfigError, match="is not valid") as refused:
        validated(ExperimentConfig, fields, source="the test")
    assert said in refused.value.problem
    assert refused.value.exit_code == 78


@pytest.mark.parametrize("backbone", BACKBONES)
def test_image_size_is_the_backbones_own_unless_set(backbone):
    assert ExperimentConfig(backbone=backbone).side == BACKBONES[backbone].image_size
    assert ExperimentConfig(backbone=backbone, image_size=80).side == 80


def test_backbone_field_lists_the_table():
    assert ExperimentConfig.model_json_schema()["properties"]["backbone"]["enum"] == list(BACKBONES)


def test_architecture_is_written_as_in_the_seed():
    assert ExperimentConfig(hidden_layers=2).architecture == "InceptionV3 - F - D(8) - D(8)"
    assert ExperimentConfig(hidden_layers=0).architecture == "InceptionV3 - F"
    narrow = ExperimentConfig(backbone="MobileNet", width=0.5, dense_units=16)
    assert narrow.architecture == "MobileNet(0.5) - F - D(16)"


@pytest.mark.parametrize("model", [ExperimentConfig, EarlyStopping, Augmentation, GridConfig])
def test_every_field_is_described_and_values_are_frozen(model: type[BaseModel]):
    assert [name for name, field in model.model_fields.items() if not field.description] == []
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"
    with pytest.raises(ValidationError):
        ExperimentConfig().epochs = 3


def test_axes_multiply_out_with_the_first_values_first():
    grid = GridConfig(name="g", axes={"learning_rate": [1e-5, 1e-4], "hidden_layers": [1, 2]})
    assert [(row.name, row.changed) for row in grid.rows] == [
        ("learning_rate-1e-05_hidden_layers-1", {}),
        ("learning_rate-1e-05_hidden_layers-2", {"hidden_layers": 2}),
        ("learning_rate-0.0001_hidden_layers-1", {"learning_rate": 1e-4}),
        ("learning_rate-0.0001_hidden_layers-2", {"learning_rate": 1e-4, "hidden_layers": 2}),
    ]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"experiments": {"a": {}}, "axes": {"epochs": [1]}}, "either `experiments`"),
        ({}, "either `experiments`"),
        ({"experiments": {}}, "no rows"),
        ({"axes": {"epochs": []}}, "no rows"),
        ({"experiments": {"a": {}, "b": {"epochs": 10}}}, "rows 'a' and 'b' have the same configuration"),
        ({"experiments": {"a": {}, "b": {"image_size": 299}}}, "rows 'a' and 'b' have the same configuration"),
        ({"experiments": {"a/b": {}}}, "a/b"),
        ({"experiments": {"a": {"epoch": 1}}}, "did you mean 'epochs'?"),
        ({"base": {"epochs": -1}, "experiments": {"a": {}}}, "experiment 'a':"),
        ({"experimets": {"a": {}}}, "did you mean 'experiments'?"),
        ({"experiments": {"a": {}}, "dataset": "../x"}, "dataset"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(grid, said):
    with pytest.raises(GridError) as refused:
        validated(GridConfig, {"name": "g", **grid}, source="grid g", error=GridError)
    assert said in refused.value.problem


def test_overrides_go_into_the_base_and_rows_win():
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"epochs": 9}}).with_overrides({"epochs": 3, "seed": 7})
    assert [(row.config.epochs, row.config.seed) for row in grid.rows] == [(3, 7), (9, 7)]
    with pytest.raises(ConfigError, match="learnin_rate"):
        grid.with_overrides({"learnin_rate": 1})


def test_an_override_that_every_row_sets_itself_is_refused():
    grid = GridConfig(name="g", axes={"epochs": [1, 2]})
    with pytest.raises(ConfigError, match="every row of grid 'g' sets it"):
        grid.with_overrides({"epochs": 3})


def test_axes_whose_values_make_no_name_are_numbered():
    grid = GridConfig(name="g", axes={"early_stopping": [None, {"patience": 2}], "dropout": [0.1, 0.2]})
    assert [row.name for row in grid.rows] == [
        "early_stopping-None_dropout-0.1",
        "early_stopping-None_dropout-0.2",
        "row-003",
        "row-004",
    ]
