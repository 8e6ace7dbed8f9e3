"""What one look found, and how grave it is."""

from dataclasses import dataclass
from typing import Literal

from bloodcell.errors import BloodcellError


@dataclass(frozen=True)
class Check:
    """What one look found.

    Attributes:
        about: What was looked at, in a word or two.
        status: `ok`; `warn` for what keeps no experiment from running here; `FAIL` for what does.
        found: What was found.
        remedy: What the reader can do about it; empty where all is well.
        exit_code: That of the failure; 0 where there is none.
    """

    about: str
    status: Literal["ok", "warn", "FAIL"]
    found: str
    remedy: str = ""
    exit_code: int = 0

    def __str__(self) -> str:
        line = f"{self.status:<5} {self.about:<11} {self.found}"
        return f"{line}\n{'':<18}Remedy: {self.remedy}" if self.remedy else line


def ok(about: str, found: str) -> Check:
    """All is well."""
    return Check(about, "ok", found)


def warning(about: str, found: str, *, remedy: str) -> Check:
    """Not as it should be, though experiments may run."""
    return Check(about, "warn", found, remedy)


def failure(about: str, error: BloodcellError) -> Check:
    """What an experiment would end with here."""
    return Check(about, "FAIL", error.problem, error.remedy, error.exit_code)
