"""What a grid run's parameters look like: the Prefect UI draws its form from this, and the server checks by it."""

from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from bloodcell.config import ExperimentConfig
from bloodcell.grids import grid_names


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
