"""The schema of a grid run's parameters, judged by what Prefect's own server accepts with it."""

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.validation import ValidationError

from bloodcell.config import ExperimentConfig
from bloodcell.grids import grid_names
from flows.grid.flow import grid

SCHEMA = parameter_schema(grid).model_dump()


def accepts(**parameters) -> bool:
    try:
        validate(parameters, SCHEMA, raise_on_error=True)
    except ValidationError:
        return False
    return True


def test_the_form_offers_the_shipped_grids_and_a_path():
    shipped = SCHEMA["properties"]["grid"]["anyOf"][0]
    assert shipped["enum"] == grid_names()
    assert {"blood-cell", "demo"} <= set(shipped["enum"])
    assert accepts(grid="demo")
    assert accepts(grid="grids/mine.yaml")
    assert not accepts(grid="domo")


@pytest.mark.parametrize(
    "overrides",
    [
        {"epochs": 3, "learning_rate": 1e-3},
        {"image_size": None},
        {"early_stopping": {"patience": 3}},
        {"early_stopping": None},
        {"trainable": "head"},
        {"trainable": 3},
        {},
        None,
    ],
)
def test_what_a_grid_accepts_passes(overrides):
    ExperimentConfig.model_validate(overrides or {})
    assert accepts(overrides=overrides)


@pytest.mark.parametrize(
    "overrides", [{"epoch": 3}, {"epochs": "three"}, {"epochs": 0}, {"backbone": "LeNet"}, {"dropout": 1}]
)
def test_what_a_grid_refuses_is_refused_before_a_run_is_made(overrides):
    assert not accepts(overrides=overrides)


def test_an_untouched_form_submits_nothing():
    """The UI submits each default it is told, and each switch it draws."""
    fields = SCHEMA["properties"]["overrides"]["anyOf"][0]["properties"]
    assert set(fields) == set(ExperimentConfig.model_fields)
    assert all(field["description"] for field in fields.values())
    choices = [choice for field in fields.values() for choice in (field, *field.get("anyOf", []))]
    assert not [choice for choice in choices if "default" in choice or choice.get("type") == "boolean"]
    assert not [choice for choice in choices if "properties" in choice or "$ref" in choice]


def test_every_parameter_is_described():
    assert all(parameter.get("description") for parameter in SCHEMA["properties"].values())
