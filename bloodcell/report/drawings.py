"""Charts that the grid's last report drew of the same figures are taken from there: drawing is most of a report's time.

docs/adr/0016 says why. What a chart is of is known by a hash; `drawings.json` of a report names those of its charts.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from importlib.metadata import version

import numpy as np
import PIL
from pydantic_core import to_json

from bloodcell import artifacts
from bloodcell.artifacts import LatestRun
from bloodcell.errors import BloodcellError
from bloodcell.report.folder import Files
from bloodcell.store import AT_ONCE, Store
from bloodcell.values import Frozen, Sha256

FILE = "drawings.json"


class Drawn(Frozen):
    """A chart of a report: its file there, and the SHA-256 of its bytes."""

    file: str
    sha256: Sha256


class Drawings(Frozen):
    """The charts of a report by the hash of what they are of: the object grids/<name>/<run id>/drawings.json."""

    charts: dict[Sha256, Drawn]


@dataclass(frozen=True)
class Drawing:
    """A chart that is yet to be drawn.

    Attributes:
        draw: Draws it: a function of this package that knows its arguments alone.
        arguments: What it is called with: values of Python and numpy, dataclasses and models.
    """

    draw: Callable[..., bytes]
    arguments: tuple[object, ...]

    @cached_property
    def digest(self) -> str:
        """Hash of all that decides the picture: the arguments, this package's code, and the libraries that draw."""
        what = [self.draw.__module__, self.draw.__qualname__, self.arguments]
        text = to_json(what, fallback=_plain, inf_nan_mode="constants")
        return hashlib.sha256(code_digest() + text).hexdigest()


@dataclass(frozen=True)
class LastDrawings:
    """The charts of the report before this one, of a grid without one none, and those drawn since.

    Attributes:
        store: Where the former are.
        folder: Of that report.
        charts: As its drawings.json has them.
        since: Charts by the hash of what they are of.
    """

    store: Store | None = None
    folder: str = ""
    charts: Mapping[str, Drawn] = field(default_factory=dict)
    since: Files = field(default_factory=dict[str, bytes])

    @classmethod
    def of(cls, store: Store, grid: str, since: Files | None = None) -> "LastDrawings":
        """Those of a grid's newest report. What cannot be read is drawn again.

        Args:
            store: Where it is.
            grid: Its name.
            since: Where those go that are drawn before the report.
        """
        kept: Files = dict[str, bytes]() if since is None else since
        try:
            run = artifacts.read_model(store, artifacts.latest_grid_run(grid), LatestRun).run_id
            folder = artifacts.grid_run(grid, run, "")
            return cls(store, folder, artifacts.read_model(store, folder + FILE, Drawings).charts, kept)
        except BloodcellError:  # whatever ails the store, a report is not lost for want of an old chart
            return cls(since=kept)

    def read(self, digest: str) -> bytes | None:
        """The chart of what has that hash; None where it is to be drawn."""
        before = self.charts.get(digest)
        try:
            if digest in self.since:
                return self.since[digest]
            if self.store is None or before is None:
                return None
            data = self.store.read(self.folder + before.file)
        except BloodcellError:
            return None
        return data if hashlib.sha256(data).hexdigest() == before.sha256 else None


def draw(drawings: Mapping[str, Drawing], last: LastDrawings, files: Files) -> None:
    """Put charts into a report, and drawings.json for the next one.

    Args:
        drawings: By file below the report.
        last: Those that are known.
        files: The report's.
    """
    if not drawings:
        return

    def take(file: str) -> bool:
        known = last.read(drawings[file].digest)
        if known is None:
            return False
        files[file] = known
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        taken = dict(zip(drawings, pool.map(take, drawings), strict=True))
    drawn: dict[str, Drawn] = {}
    for file, drawing in drawings.items():
        if not taken[file]:
            files[file] = drawing.draw(*drawing.arguments)
        drawn[drawing.digest] = Drawn(file=file, sha256=hashlib.sha256(files[file]).hexdigest())
    files[FILE] = Drawings(charts=drawn).model_dump_json(indent=2).encode() + b"\n"


@cache
def code_digest() -> bytes:
    """Hash of this package's modules, of `bloodcell.formatting`, and of the versions of what draws."""
    package = resources.files("bloodcell")
    own = (file for file in package.joinpath("report").iterdir() if file.name.endswith(".py"))
    modules = [*own, package.joinpath("formatting.py")]
    digest = hashlib.sha256(f"{version('matplotlib')} {PIL.__version__} {np.__version__}".encode())
    for module in sorted(modules, key=lambda module: module.name):
        digest.update(f"{module.name}\0{module.read_text(encoding='utf-8')}\0".encode())
    return digest.digest()


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a chart of a {type(value).__name__}: no hash can tell it from another")
