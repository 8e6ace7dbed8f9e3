"""Grid files and settings that would run code, grow, or never end."""

import os
from collections.abc import Callable
from pathlib import Path

from bloodcell.errors import ConfigError, GridError
from bloodcell.grids import load_grid
from flows.parameters import parse_assignment
from tests.hostile.case import Case
from tests.hostile.giving import grid

_ROWS = "\nexperiments: {a: {}}\n"


def _aliases(levels: int) -> str:
    """A list of nine lists, each of nine lists, and so on: 9 to the power of the levels, in a few lines."""
    lines = ["name: g", "l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(lines) + _ROWS


def _tens(*fields: str) -> str:
    axes = ", ".join(f"{field}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" for field in fields)
    return f"name: g\naxes: {{{axes}}}\n"


def _set(text: str) -> Callable[[Path], str]:
    return lambda _: str(parse_assignment(text))


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / "grid.yaml")
    return str(load_grid(str(folder / "grid.yaml")))


TEXTS = (
    Case(
        "YAML with `!!python/object/apply:os.system`",
        grid(f"name: !!python/object/apply:os.system [ls]{_ROWS}"),
        "has the tag",
        GridError,
    ),
    Case("YAML with a tag of its own", grid(f"name: !grid g{_ROWS}"), "has the tag '!grid'", GridError),
    Case("YAML with bytes, `!!binary`", grid(f"name: !!binary Zw=={_ROWS}"), "has the tag", GridError),
    Case("an alias bomb: 9 to the power of 12 values in 14 lines", grid(_aliases(12)), "more than 100,000", GridError),
    Case(
        "200 lists that each repeat 7,381 values",
        grid(_aliases(4) + "base: {a: [" + "[*l3, x], " * 200 + "x]}"),
        "more than 100,000",
        GridError,
    ),
    Case("an alias within what it repeats", grid(f"name: g\nbase: &b {{epochs: *b}}{_ROWS}"), "itself", GridError),
    Case("two values with one anchor", grid(f"name: &a g\nbase: &a {{}}{_ROWS}"), "a second value", GridError),
    Case("5,000 lists within one another", grid("name: " + "[" * 5000), "32 levels", GridError),
    Case("5,000 lists within one another, without brackets", grid("- " * 5000), "32 levels", GridError),
    Case("a pipe in the place of a grid file", _pipe, "is no plain file", GridError),
    Case("a grid file of 1 MB", grid("# " + "x" * 2**20), "262,144 characters", GridError),
    Case("a number of 5,000 digits", grid(f"name: g\nseeds: {'9' * 5000}{_ROWS}"), "cannot be read", GridError),
    Case("the same number in hex", grid(f"name: g\nseeds: 0x{'f' * 5000}{_ROWS}"), "20,000 bits", GridError),
    Case("a learning rate of `.nan`", grid(f"name: g\nbase: {{learning_rate: .nan}}{_ROWS}"), "finite", GridError),
    Case(
        "axes that make 100,000 rows",
        grid(_tens("epochs", "batch_size", "dense_units", "hidden_layers", "seed")),
        "10,000 trainings",
        GridError,
    ),
    Case("a name of 100,000 letters", grid(f"name: {'g' * 100_000}{_ROWS}"), "received 'ggg", GridError),
    Case("a name with a terminal sequence", grid(f'name: "\\e[31mred"{_ROWS}'), "'\\x1b[31mred'", GridError),
    Case("a row named `../../x`", grid("name: g\nexperiments: {../../x: {}}"), "../../x", GridError),
    Case("a row named `<script>`", grid("name: g\nexperiments: {<script>: {}}"), "<script>", GridError),
    Case("a key twice", grid("name: g\nname: h" + _ROWS), "duplicate key", GridError),
    Case("two documents in one file", grid("name: g\n---\nname: h\n"), "another document", GridError),
    Case("a grid file that is a picture", grid(b"\xff\xd8\xff\xe0"), "cannot be read", GridError),
    Case("a grid file of null bytes", grid(bytes(9)), "special characters", GridError),
    Case("no text at all", grid(""), "received None", GridError),
    Case("`--set` with an object of Python", _set("epochs=!!python/name:os.system"), "has the tag", ConfigError),
    Case("`--set` with 5,000 brackets", _set("epochs=" + "[" * 5000), "32 levels", ConfigError),
)
