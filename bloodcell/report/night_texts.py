"""What is said of a night's verdicts, also by who does without what judges them."""

from bloodcell.artifacts import NightVerdict
from bloodcell.formatting import counted, listed, noun, odds_text, points


def night_text(verdict: NightVerdict) -> str:
    """A row's change, as in `rate-1e-4 by -58.20 points (changed: learning rate)`."""
    return f"{verdict.row} by {points(verdict.change)} points{_changed_text(verdict)}"


def night_line(verdict: NightVerdict) -> tuple[str, ...]:
    """A verdict for the table: row, verdict, change, p, trainings, and how many they are compared with."""
    judged = verdict.verdict != "too early"
    return (
        verdict.row,
        f"{verdict.verdict}{_wanted_text(verdict)}{_changed_text(verdict)}",
        f"{points(verdict.change)} points" if verdict.earlier else "",
        odds_text(verdict.p).removeprefix("p = ").removeprefix("p ") if judged else "",
        str(verdict.tonight),
        str(verdict.earlier),
    )


def _changed_text(verdict: NightVerdict) -> str:
    return f" (changed: {listed([noun(field) for field in verdict.changed])})" if verdict.changed else ""


def _wanted_text(verdict: NightVerdict) -> str:
    return f": wants {counted(verdict.wanted, 'earlier training')}" if verdict.wanted else ""
