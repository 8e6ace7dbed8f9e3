"""The named grids, one YAML file each, and how a grid is read."""

import stat
from importlib import resources
from pathlib import Path

from ruamel.yaml.error import YAMLError

from bloodcell.config import GridConfig
from bloodcell.errors import GridError
from bloodcell.plain_yaml import LARGEST, read_yaml
from bloodcell.values import suggestion, validated


def grid_names() -> list[str]:
    """Names of the shipped grids, in alphabetical order."""
    return sorted(
        file.name.removesuffix(".yaml") for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml")
    )


def load_grid(name: str) -> GridConfig:
    """A shipped grid by its name, or the grid in a YAML file.

    Args:
        name: A name from `grid_names()`, or a path that ends in .yaml or .yml.

    Raises:
        GridError: There is no such grid or file, it is not YAML, or it does not validate.
    """
    if name.endswith((".yaml", ".yml")):
        try:
            if not stat.S_ISREG(Path(name).stat().st_mode):  # a pipe may never begin
                raise GridError(
                    f"grid file {name} is no plain file", remedy="write the grid into a file, and name that"
                )
            with Path(name).open(encoding="utf-8") as file:
                text = file.read(LARGEST + 1)
        except (OSError, ValueError) as error:  # no text, or a null byte in the path
            raise GridError(
                f"grid file {name} cannot be read: {error}", remedy="check the path and the file"
            ) from error
    elif name in grid_names():
        text = resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise GridError(
            f"grid is {name!r}{suggestion(name, grid_names())}; accepted are {', '.join(grid_names())}, "
            "or the path of a .yaml file",
            remedy="choose one of these, or write the path with its ending",
        )
    try:
        value = read_yaml(text)
    except YAMLError as error:
        raise GridError(f"grid {name} is not YAML:\n{error}", remedy="correct the file at the place named") from error
    return validated(GridConfig, value, source=f"grid {name}", error=GridError)
