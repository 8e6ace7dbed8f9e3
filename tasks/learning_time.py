"""How long what is to be trained will learn, judged by earlier trainings. Pure functions over values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import ExperimentConfig
from bloodcell.formatting import setting
from tasks.plan import Plan, PlannedRun
from tasks.precedents import Precedent
from tasks.training_images import training_images

_COMPARABLE = ("backbone", "width", "image_size", "batch_size", "trainable", "precision", "augmented")
"""Settings that must be alike, beside the dataset's name.

Epochs, early stopping and the number of images are reckoned with. The others, the head's, the optimizer's and the
start, are taken to cost little beside the backbone.
"""

_SHARES = ("split", "validation_fraction", "test_fraction", "seen_fraction")
"""Settings that decide how many images of a dataset version train."""


class Learned(NamedTuple):
    """What a training took, as far as a report tells.

    Attributes:
        seconds: As `ExperimentResult.learning_seconds`.
        epochs: Those that it ran; None where that is not known.
        images: Those that it trained on; None where that is not known.
    """

    seconds: float
    epochs: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class LearningTime:
    """An estimate.

    Attributes:
        seconds: What the trainings learn, summed up, as `ExperimentResult.learning_seconds`.
        trainings: How many of them it is of; of the others nothing comparable is known.
        rests_on: Earlier trainings that it is judged by.
        at_most: Whether some may stop early, and nothing tells when: they are in it with all their epochs.
    """

    seconds: float
    trainings: int
    rests_on: int
    at_most: bool = False


class _Pace(NamedTuple):
    """An earlier training, and how fast it was."""

    key: str
    config: ExperimentConfig
    epochs: int
    epoch_seconds: float
    images: int | None


class _Place(NamedTuple):
    """Under which an earlier training is found, by what it has in common; None where that need not be alike."""

    row: str | None
    data: tuple[object, ...] | None
    cost: tuple[object, ...]


class _Estimate(NamedTuple):
    """Of one training."""

    seconds: float
    at_most: bool
    rests_on: str


def learning_time(planned: Plan, earlier: Iterable[Precedent], learned: Mapping[str, Learned]) -> LearningTime | None:
    """An estimate by the newest comparable training of the same row, or else of any row; None where there is none.

    One on as many images of the same dataset version comes before those on others.

    Args:
        planned: What is to be trained, and what of that is over.
        earlier: Trainings, the newest first.
        learned: What they took, by key.
    """
    paces: dict[_Place, _Pace] = {}
    for past in earlier:
        if pace := _pace(past, learned.get(past.key)):
            for place in _places(past.row, past.spec):
                if place.data or pace.images:
                    paces.setdefault(place, pace)
    estimates = (_estimate(planned, run, paces) for run in planned.runs if not run.done)
    found = [estimate for estimate in estimates if estimate]
    if not found:
        return None
    return LearningTime(
        seconds=sum(each.seconds for each in found),
        trainings=len(found),
        rests_on=len({each.rests_on for each in found}),
        at_most=any(each.at_most for each in found),
    )


def _pace(past: Precedent, took: Learned | None) -> _Pace | None:
    """How fast a training was; None where its time is not known, or how many epochs it is of."""
    if not took:
        return None
    config = past.spec.config
    epochs = took.epochs or (None if config.early_stopping else config.epochs)
    return _Pace(past.key, config, epochs, took.seconds / epochs, took.images) if epochs else None


def _places(row: str, spec: ExperimentSpec) -> list[_Place]:
    """Where a training stands, and where one comparable with it is looked for, the best place first."""
    cost = (spec.dataset, *(setting(spec.config, field) for field in _COMPARABLE))
    data = (spec.dataset_version, *(setting(spec.config, field) for field in _SHARES))
    return [_Place(own, images, cost) for own in (row, None) for images in (data, None)]


def _estimate(planned: Plan, run: PlannedRun, paces: Mapping[_Place, _Pace]) -> _Estimate | None:
    config = run.spec.config
    for place in _places(run.row.name, run.spec):
        if pace := paces.get(place):
            epochs, at_most = _epochs_left(config, planned.over.get(run.spec.key, 0), pace)
            others = pace.images if place.data is None else None
            scale = training_images(config, planned.dataset) / others if others else 1.0
            return _Estimate(epochs * pace.epoch_seconds * scale, at_most, pace.key)
    return None


def _epochs_left(config: ExperimentConfig, over: int, pace: _Pace) -> tuple[int, bool]:
    """Epochs that a training has before it, and whether it may stop sooner.

    Where it stops by the rule of the earlier one, it is taken to stop when that did, unless it has outlived it.
    """
    left = config.epochs - over
    if config.early_stopping is None:
        return left, False
    says_when = pace.epochs < pace.config.epochs or config.epochs <= pace.epochs
    if config.early_stopping == pace.config.early_stopping and says_when and over < pace.epochs:
        return min(config.epochs, pace.epochs) - over, False
    return left, left > 0
