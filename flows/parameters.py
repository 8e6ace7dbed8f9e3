"""A grid run's parameters: the Prefect UI draws its form from their types, the server checks by them."""

from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from ruamel.yaml.error import YAMLError

from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.errors import ConfigError
from bloodcell.formatting import shortened
from bloodcell.grids import grid_names, load_grid
from bloodcell.plain_yaml import read_yaml
from bloodcell.values import validated

_LONGEST_SHOWN = 100
"""Characters that an error shows of what it received."""


class _GridForm:
    """A choice of the shipped grids, or a path."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "anyOf": [
                {"title": "shipped", "type": "string", "enum": grid_names()},
                {"title": "file", "type": "string", "pattern": r"\.ya?ml$"},
            ]
        }


class _OverridesForm:
    """A field of the form for each field of an experiment."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = ExperimentConfig.model_json_schema()
        return {
            "title": "fields",
            "type": "object",
            "properties": {name: _unset(field, schema["$defs"]) for name, field in schema["properties"].items()},
            "additionalProperties": False,
        }


GridName = Annotated[str, _GridForm]
"""A shipped grid's name, or the path of a YAML file."""

Overrides = Annotated[dict[str, Any], _OverridesForm]
"""Fields of ExperimentConfig and their values; the grid checks them, this only describes them."""


def resolve(grid: str, dataset: str | None, overrides: dict[str, Any] | None, seeds: int | None = None) -> GridConfig:
    """The grid that a run's parameters name.

    Args:
        grid: A shipped grid's name, or the path of a YAML file.
        dataset: Dataset to use instead of the grid's own.
        overrides: Fields of ExperimentConfig to set in the grid's base.
        seeds: Trainings of each row, instead of the grid's own number.

    Raises:
        ConfigError: The grid does not exist, or does not validate with the overrides.
    """
    config = load_grid(grid).with_overrides(overrides or {})
    own = {field: value for field, value in (("dataset", dataset), ("seeds", seeds)) if value}
    return validated(GridConfig, config.model_dump() | own, source=f"grid {config.name!r}") if own else config


def parse_assignment(text: str) -> tuple[str, Any]:
    """`field=value`, the value read as YAML, so that numbers, words and `{patience: 3}` all work.

    Raises:
        ConfigError: There is no `=`, or the value is not YAML.
    """
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise ConfigError(f"--set received {text!r}; accepted is FIELD=VALUE", remedy="write it as --set epochs=3")
    try:
        return field, read_yaml(value)
    except YAMLError as error:
        raise ConfigError(
            f"--set {shortened(text, _LONGEST_SHOWN)!r}: the value is not YAML: {str(error).partition(chr(10))[0]}",
            remedy="quote the value; one with spaces in it by --set alone, as make splits SET at them",
        ) from error


def _unset(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    """A field of which nothing is submitted until somebody fills it in.

    The UI submits every default it is told, and every switch it draws: an untouched form would override them all. So
    defaults are left out, and a model within a model is written as JSON.
    """
    kept = {name: value for name, value in field.items() if name != "default"}
    for choice in field.get("anyOf", []):
        if "$ref" in choice:
            model = models[choice["$ref"].rpartition("/")[2]]
            parts = ", ".join(model["properties"])
            kept["description"] += f" As JSON, with any of {parts}."
            kept["anyOf"] = [{"title": model["title"], "type": "object"}, {"type": "null"}]
    return kept
