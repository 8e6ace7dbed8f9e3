"""What was measured of a shape on this machine, kept in the cache."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bloodcell.files import exclusive, whole_file
from bloodcell.provenance import environment
from bloodcell.shapes import ModelShape
from bloodcell.values import Frozen
from tasks.packing.choice import Measurement

_DECIDE = ("tensorflow", "tensorflow-cpu", "keras")


class Machine(Frozen):
    """What decides how fast a shape trains, beside the shape: with another of these it is measured anew."""

    processor: str
    cores: int
    packages: dict[str, str]
    code_version: str
    onednn: str

    @classmethod
    def here(cls, cores: int) -> "Machine":
        """This one, of which so many cores may be used."""
        found = environment(device="CPU", threads=cores)
        packages = {name: version for name, version in found["packages"].items() if name in _DECIDE}
        return cls(
            processor=found["processor"],
            cores=cores,
            packages=packages,
            code_version=found["code_version"],
            onednn=found["oneDNN"],
        )


class _File(Frozen):
    """The file: all that was measured of a shape on a machine."""

    shape: ModelShape
    machine: Machine
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class Remembered:
    """What was measured of a shape on this machine.

    Attributes:
        cache: The cache folder.
        machine: This machine.
        shape: The shape.
    """

    cache: Path
    machine: Machine
    shape: ModelShape

    @property
    def path(self) -> Path:
        """Its file. It may be deleted at any time: then it is measured anew."""
        name = hashlib.sha256(self._nothing.model_dump_json().encode()).hexdigest()[:16]
        return self.cache / "packing" / f"{name}.json"

    def measurements(self) -> tuple[Measurement, ...]:
        """All of them; none where the file is missing or damaged."""
        try:
            found = _File.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return ()
        return found.measurements if (found.shape, found.machine) == (self.shape, self.machine) else ()

    def find(self, slots: int, threads: int) -> Measurement | None:
        """That of so many processes with so many threads each, if it was made."""
        return next((each for each in self.measurements() if (each.slots, each.threads) == (slots, threads)), None)

    def alone(self, on_wait: Callable[[], None] = lambda: None) -> AbstractContextManager[object]:
        """A block in which nobody else measures on this machine, whatever the shape: two would measure each other.

        Args:
            on_wait: Called before waiting for another who measures.

        Raises:
            OSError: The cache cannot be written.
        """
        return exclusive(self.path.parent / "measuring.lock", on_wait)

    def keep(self, made: Measurement) -> None:
        """Add one, alone.

        Raises:
            OSError: The cache cannot be written.
        """
        known = self._nothing.model_copy(update={"measurements": (*self.measurements(), made)})
        with whole_file(self.path) as temporary:
            temporary.write_text(known.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @property
    def _nothing(self) -> _File:
        return _File(shape=self.shape, machine=self.machine)
