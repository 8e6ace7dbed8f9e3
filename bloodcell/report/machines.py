"""Whether the learning times of a grid compare."""

from collections.abc import Sequence

from bloodcell.formatting import listed
from bloodcell.provenance import NOT_USED
from bloodcell.report.rows import FinishedRow

_MACHINE = {
    "device": "device",
    "processor": "processor",
    "threads": "number of CPU threads",
    "oneDNN": "oneDNN",
    "own_kernel": "own kernel",
}
"""What learning time depends on beside the settings, by key of the environment."""


def machine_differences(done: Sequence[FinishedRow]) -> tuple[str, ...]:
    """In what the machines of the trainings differ; learning times compare where it is nothing."""
    results = [result for row in done for result in row.results]
    differences = []
    for key, name in _MACHINE.items():
        values = dict.fromkeys(str(result.environment.get(key) or "not recorded") for result in results)
        values.pop(NOT_USED, None)  # a matter of the training, not of its machine
        if len(values) > 1:
            differences.append(f"{name} {listed(list(values))}")
    return tuple(differences)
