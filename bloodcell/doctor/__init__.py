"""Whether this machine, or this image, can run experiments: what `bloodcell doctor` prints."""

from collections.abc import Iterator

from bloodcell.doctor import compute, places, software
from bloodcell.doctor.check import Check, failure
from bloodcell.errors import ConfigError
from bloodcell.settings import load_settings

__all__ = ["Check", "examine"]


def examine(*, write: bool) -> Iterator[Check]:
    """Look at everything an experiment needs, one thing after the other.

    Args:
        write: Whether to write an object to the store as well; it stays there.
    """
    yield from software.checks()
    yield from compute.checks()
    try:
        settings = load_settings()
    except ConfigError as error:
        yield failure("settings", error)
        return
    yield from places.checks(settings, write=write)
