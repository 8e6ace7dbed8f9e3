"""How a grid run ends: its last state, and the exit code of the command."""

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from bloodcell.artifacts import GridRun
from bloodcell.data.leakage import warning
from bloodcell.formatting import counted, listed
from bloodcell.report.night_texts import night_text

_NAMED = 8  # experiments with one reason, in the flow's last state; the report names all


def conclusion(run: GridRun, url: str, result: str) -> State[GridRun]:
    """The state in which the flow ends: Failed where an experiment is, with each reason once, or a night is worse.

    It tells leakage too.

    Args:
        run: The grid run with the outcome of every row, as it was published.
        url: Where its report is.
        result: What came out on top, in a sentence.
    """
    failed = [row for row in run.rows if row.status == "failed"]
    worse = [verdict for verdict in run.verdicts if verdict.verdict == "worse"]
    leakage = list(filter(None, [warning(run.leakage)]))
    if not (failed or worse):
        return Completed(message="\n".join([*leakage, result, f"report: {url}"]), data=run)
    names_by_reason: dict[str, list[str]] = {}
    for row in failed:
        names_by_reason.setdefault(row.reason, []).append(run.grid.run_name(row.name, row.config.seed))
    # The Prefect UI shows all on one line, so each ends as a sentence does.
    return Failed(
        message="\n".join(
            [
                *([f"{len(failed)} of {counted(len(run.rows), 'experiment')} failed."] if failed else []),
                *(f"{_names(names)}: {reason.rstrip('.')}." for reason, names in names_by_reason.items()),
                *([f"Worse than the nights before: {listed(list(map(night_text, worse)))}."] if worse else []),
                *leakage,
                result,
                f"Report: {url}",
            ]
        ),
        data=run,
    )


def _names(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more} more"


def exit_code(run: GridRun) -> int:
    """0 where no experiment failed and no row is worse; the code they failed with where that is one; else 1."""
    codes = {row.exit_code for row in run.rows if row.status == "failed"}
    if len(codes) == 1:
        return codes.pop()
    return int(bool(codes) or any(verdict.verdict == "worse" for verdict in run.verdicts))
