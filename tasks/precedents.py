"""Earlier trainings of a grid, found by what they have in common with an experiment. Values alone; nothing is read."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from bloodcell.artifacts import ExperimentSpec, repeat_of
from bloodcell.config import ExperimentConfig


@dataclass(frozen=True)
class Precedent:
    """A training that a report names.

    Attributes:
        run_id: The grid run whose report it is.
        row: Name of its row.
        spec: The experiment, without repeat.
        key: Its key as recorded: another release may have made it otherwise.
        status: What became of it in that run.
        failure: Why it failed; empty otherwise.
    """

    run_id: str
    row: str
    spec: ExperimentSpec
    key: str
    status: Literal["trained", "reused", "failed"]
    failure: str = ""


@dataclass
class Alike:
    """Trainings of one row that differ in their seeds alone.

    Attributes:
        spec: The experiment of one of them.
        seeds: Their seeds.
        failed: Whether all failed.
    """

    row: str
    spec: ExperimentSpec
    seeds: set[int] = field(default_factory=set)
    failed: bool = True


class Precedents:
    """Trainings, found by what they have in common with an experiment.

    Args:
        trainings: Those of the newest report first.
    """

    def __init__(self, trainings: Iterable[Precedent]) -> None:
        self.by_key: dict[str, Precedent] = {}
        """Of each experiment, repeats included, what the newest report says of it."""
        self.trained_in: dict[str, str] = {}
        """By key, the run that trained it."""
        self.reported_by: dict[str, str] = {}
        """By key, the oldest run that names its result."""
        self._alike: dict[tuple[str, ExperimentSpec], Alike] = {}
        self._by_row: defaultdict[str, list[Alike]] = defaultdict(list)
        self._by_settings: defaultdict[ExperimentConfig, list[Alike]] = defaultdict(list)
        for training in trainings:
            self._add(training)

    def alike(self, row: str, spec: ExperimentSpec) -> list[Alike]:
        """Trainings of the row of that name, and those of the same settings under another; the newest first."""
        others = (past for past in self._by_settings.get(_settings(spec.config), []) if past.row != row)
        return [*self._by_row.get(row, []), *others]

    def _add(self, training: Precedent) -> None:
        self.by_key.setdefault(repeat_of(training.key)[0], training)
        if training.status == "trained":
            self.trained_in[training.key] = training.run_id
        if training.status != "failed":
            self.reported_by[training.key] = training.run_id
        settings = _settings(training.spec.config)
        place = training.row, training.spec.model_copy(update={"config": settings})
        if place not in self._alike:
            self._alike[place] = Alike(training.row, training.spec)
            self._by_row[training.row].append(self._alike[place])
            self._by_settings[settings].append(self._alike[place])
        self._alike[place].seeds.add(training.spec.config.seed)
        self._alike[place].failed &= training.status == "failed"


def _settings(config: ExperimentConfig) -> ExperimentConfig:
    """What a key knows of a configuration, the seed apart."""
    return config.model_copy(
        update={"seed": 0, "image_size": config.side, "weights": config.weights_sha256 or config.weights}
    )
