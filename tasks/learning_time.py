"""How long what is to be trained will learn, judged by earlier trainings. Pure functions over values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bloodcell.artifacts import ExperimentSpec
from bloodcell.formatting import setting
from tasks.plan import PlannedRun
from tasks.precedents import Precedent

_COMPARABLE = ("backbone", "width", "image_size", "trainable", "precision", "augmentation", "split")
"""Settings that must be alike, beside the dataset. Epochs are reckoned with; the others cost little or nothing."""


@dataclass(frozen=True)
class LearningTime:
    """An estimate.

    Attributes:
        seconds: What the trainings learn, summed up, as `ExperimentResult.learning_seconds`.
        trainings: How many of them it is of; of the others nothing comparable is known.
        rests_on: Earlier trainings that it is judged by.
    """

    seconds: float
    trainings: int
    rests_on: int


def learning_time(
    to_train: Iterable[PlannedRun],
    earlier: Iterable[Precedent],
    seconds: Mapping[str, float],
    over: Mapping[str, int],
) -> LearningTime | None:
    """An estimate by the newest comparable training of the same row, or else of any row; None where there is none.

    Args:
        to_train: What is to be trained.
        earlier: Trainings, the newest first.
        seconds: What they learned, by key.
        over: Of what was begun and goes on, the epochs that have ended, by key.
    """
    of_row: dict[tuple[object, ...], Precedent] = {}
    of_any: dict[tuple[object, ...], Precedent] = {}
    for past in earlier:
        if past.key in seconds:
            of_row.setdefault((past.row, *_cost(past.spec)), past)
            of_any.setdefault(_cost(past.spec), past)
    nearest = [
        (
            run.spec.config.epochs - over.get(run.spec.key, 0),
            of_row.get((run.row.name, *_cost(run.spec)), of_any.get(_cost(run.spec))),
        )
        for run in to_train
    ]
    found = [(epochs, past) for epochs, past in nearest if past]
    if not found:
        return None
    return LearningTime(
        seconds=sum(seconds[past.key] * epochs / past.spec.config.epochs for epochs, past in found),
        trainings=len(found),
        rests_on=len({past.key for _, past in found}),
    )


def _cost(spec: ExperimentSpec) -> tuple[object, ...]:
    return spec.dataset, *(setting(spec.config, field) for field in _COMPARABLE)
