"""How an experiment's end travels from the machine that ran it to the grid: in the state of its flow run.

A state's result would need storage that both machines reach; its name and its message need none, and people read them.
"""

from prefect.client.schemas.objects import State
from prefect.states import Failed

from bloodcell.errors import BloodcellError, ConfigError, DataError, TransientError
from bloodcell.events import Failure
from tasks.runners.base import Exit

_NAMES = {DataError.exit_code: "BadData", ConfigError.exit_code: "BadConfig", TransientError.exit_code: "TryAgain"}
"""Names of the states of a failed experiment, by its exit code; Prefect's own, Failed, stands for any other."""

_CODES = {name: code for code, name in _NAMES.items()}
_REMEDY = "\n  Remedy: "


def failed(error: BloodcellError) -> State[None]:
    """The state in which the flow run of a failed experiment ends."""
    return Failed(name=_NAMES.get(error.exit_code, "Failed"), message=f"{error.problem}{_REMEDY}{error.remedy}")


def exit_of(state: State) -> Exit:
    """What an experiment's runner would have returned, from the state in which its flow run completed or failed."""
    if state.is_completed():
        return Exit(0)
    message = state.message or "the flow run failed and does not say why"
    problem, _, remedy = message.partition(_REMEDY)
    return Exit(
        _CODES.get(state.name or "", BloodcellError.exit_code),
        Failure(problem=problem, remedy=remedy or "read the log of its flow run"),
    )
