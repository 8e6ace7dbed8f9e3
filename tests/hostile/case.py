"""A hostile input as a value, and what the suite does with it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bloodcell.errors import BloodcellError

FOLDER = "/data"
"""What the temporary folder of a case is called in its message."""


@dataclass(frozen=True)
class Case:
    """A hostile input.

    Attributes:
        what: What it is, as the table of docs/reliability.md says.
        give: Gives it to the suite, from a folder of its own; where it is taken, returns what a user sees.
        says: Part of the message, or of what a user sees.
        error: The error that refuses it; None where it is taken.
        taken: What happens, where that is not a refusal.
    """

    what: str
    give: Callable[[Path], str]
    says: str
    error: type[BloodcellError] | None = None
    taken: str = ""


@dataclass(frozen=True)
class Outcome:
    """What happened: the error, if any, and what a user sees."""

    error: BloodcellError | None
    message: str


@cache
def outcome(case: Case) -> Outcome:
    """Give the input to the suite."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        try:
            error, message = None, case.give(folder)
        except BloodcellError as refused:
            error, message = refused, str(refused)
    return Outcome(error, message.replace(str(folder), FOLDER))
