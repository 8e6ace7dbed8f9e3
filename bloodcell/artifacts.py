"""Every object name, and the values that lie under them."""

import hashlib
import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.errors import CorruptObjectError
from bloodcell.store import Store
from bloodcell.values import Frozen, ModelT, Name, Sha256, validated

SPLITS = ("train", "validation", "test", "seen")
"""Splits whose images are scored, in the order in which they are shown."""

KEY_LENGTH = 20
"""Hex digits of an experiment's key: 80 bits, of which a billion experiments collide with odds of one in a million."""

LONG_WAIT = 0.02
"""Fraction of the learning time from which on waiting for data is worth a word."""

_SHORT_WAIT_SECONDS = 1.0
"""No remedy is worth its trouble below this: the start of the input of a tiny training alone is some percent of it."""

DOCTOR = "doctor"
"""The object that `bloodcell doctor --write` leaves, always the same."""


Nightly = Literal["compare", "restart"]
"""How a grid run counts as one of the nights."""

Begun = Literal["night", "forced"]
"""The kinds of grid run that are gone on with where they were interrupted: others just reuse what there is."""


class ExperimentSpec(Frozen):
    """What an experiment is given: the object experiments/<key>/config.json.

    `code_version` is the hash of the modules that decide what a training computes, and of TensorFlow's and Keras's
    releases.
    """

    config: ExperimentConfig
    dataset: str = Field(description="Name of the dataset.")
    dataset_version: str = Field(description="Hash of its manifest.")
    code_version: str = Field(description="Hash of the training-side modules, TensorFlow's and Keras's release.")
    repeat: int = Field(0, ge=0, description="How often it was forced to train anew before.")

    @model_validator(mode="after")
    def _names_weights_by_content(self) -> Self:
        # A path means another file on another machine, or tomorrow.
        config = self.config
        if config.weights not in ("imagenet", "none") and not (config.weights_in_store and config.weights_sha256):
            raise ValueError(
                f"weights is {config.weights!r}; an experiment names an object of the store and its SHA-256"
            )
        return self

    @property
    def key(self) -> str:
        """Hash of all that decides the result: where the weights lie, or what the dataset is called, does not.

        A repeat has its number behind it.
        """
        decisive = self.config.model_dump(mode="json", exclude={"weights"} if self.config.weights_sha256 else set())
        decisive["image_size"] = self.config.side
        text = json.dumps([decisive, self.dataset_version, self.code_version], sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]
        return f"{key}-{self.repeat}" if self.repeat else key


def repeat_of(key: str) -> tuple[str, int]:
    """The key that an experiment has without repeats, and the number of the repeat.

    >>> repeat_of("0c5d498641b5f8923018-2"), repeat_of("0c5d498641b5f8923018")
    (('0c5d498641b5f8923018', 2), ('0c5d498641b5f8923018', 0))
    """
    first, _, repeat = key.partition("-")
    return first, int(repeat or 0)


class ClassMetrics(Frozen):
    """One class of one split; precision, recall and f1 are fractions (0 where undefined)."""

    label: str
    images: int
    precision: float
    recall: float
    f1: float


class SplitMetrics(Frozen):
    """How the trained model does on one split, dropout off.

    Attributes:
        images: Number of images.
        sources: Number of source cells behind them (equal to `images` where sources are unknown).
        loss: Mean cross-entropy in nats.
        accuracy: Fraction of the images whose class is called right.
        balanced_accuracy, macro_f1: Means over the classes that have images here, of recall and of F1.
        classes: Per class, in label order.
        confusion: Counts; row i, column j holds images of class i called class j.
    """

    images: int
    sources: int
    loss: float
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]


class EpochRecord(Frozen):
    """One epoch of the history. `loss` and `accuracy` are means over the epoch, dropout on, as Keras reports them."""

    epoch: int = Field(description="From 1.")
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float = Field(description="Wall-clock of the epoch's training and validation, in seconds.")
    waiting: float | None = Field(
        None, description="Of these, seconds in which the next batch was not there yet; none where nobody measured it."
    )


class ExperimentResult(Frozen):
    """The outcome of an experiment: the object result.json, written last. Its presence means the experiment is done."""

    key: str
    spec: ExperimentSpec
    labels: tuple[str, ...]
    sources_known: bool = Field(description="Whether the dataset names the source cell of each image.")
    metrics: dict[str, SplitMetrics] = Field(
        description="By split: train, validation, test, and seen where there is one."
    )
    history: tuple[EpochRecord, ...]
    kept_epoch: int = Field(description="The epoch whose weights the model has: the last, or the best one restored.")
    learning_seconds: float = Field(description="Wall-clock of training including validation, in seconds.")
    parameters: int = Field(description="Weights of the model, trained or not.")
    finished: datetime
    environment: dict[str, Any] = Field(description="What environment.json holds.")
    files: dict[str, Sha256] = Field(description="SHA-256 of every other artifact, by file name.")

    @property
    def waiting_fraction(self) -> float | None:
        """The fraction of the learning time in which training waited for data; None where nobody measured it."""
        waits = [record.waiting for record in self.history if record.waiting is not None]
        return sum(waits) / self.learning_seconds if len(waits) == len(self.history) else None


Status = Literal["trained", "reused", "failed"]
"""`trained` now, or by the interrupted run that this one went on with; `reused` from an earlier run; or `failed`."""


class RowOutcome(Frozen):
    """What became of one training of a row in one grid run: a row has one for each seed.

    Attributes:
        name: The row's name.
        reason: Why it failed; empty otherwise.
    """

    name: Name
    key: str
    config: ExperimentConfig
    changed: dict[str, Any]
    status: Status
    reason: str = ""
    exit_code: int = Field(0, description="The experiment's exit code; 0 unless it failed.")


class SplitSettings(Frozen):
    """The settings that decide which images train, validate and test; `ExperimentConfig` describes them."""

    split: str
    seed: int
    validation_fraction: float
    test_fraction: float
    seen_fraction: float

    @classmethod
    def of(cls, config: ExperimentConfig) -> Self:
        """Those of a configuration."""
        return cls.model_validate(config, from_attributes=True)


class Leakage(Frozen):
    """How many evaluation images have a sibling, another image of the same source cell, in training."""

    images: int
    leaked: int | None = Field(description="Those with a sibling in training; none where source cells are not known.")


class LeakageAudit(Frozen):
    """What training gives away of the images that a split evaluates on."""

    settings: SplitSettings
    validation: Leakage
    test: Leakage


class NightVerdict(Frozen):
    """How a row's trainings of a night compare with those of the nights before."""

    row: Name
    verdict: Literal["too early", "within noise", "better", "worse"]
    change: float = Field(description="Mean test accuracy of the night's trainings minus that of the earlier ones.")
    p: float = Field(description="Odds of a change as large by chance, corrected for the number of rows.")
    tonight: int = Field(description="Trainings of the night.")
    earlier: int = Field(description="Trainings it is compared with.")
    changed: tuple[str, ...] = Field(
        description="Settings in which they differ, the seed apart; `code` where the training-side modules changed."
    )
    wanted: int = Field(0, description="Where it is too early: earlier trainings of each row that a verdict takes.")


class LatestVersion(Frozen):
    """The object datasets/<name>/latest.json."""

    version: str


class LatestRun(Frozen):
    """The object grids/<name>/latest.json."""

    run_id: str


class BegunRun(Frozen):
    """What a run of a grid set out to train; while it has no grid.json, it was interrupted, or goes on."""

    run_id: str
    keys: tuple[str, ...]
    restart: bool = Field(False, description="Whether it forgets the nights before, and so does who goes on with it.")


class BegunRuns(Frozen):
    """The newest night and those that left no report: the object grids/<name>/night.json; forced runs: forced.json."""

    runs: tuple[BegunRun, ...]


class GridRun(Frozen):
    """One run of a grid: the object grids/<name>/<run id>/grid.json."""

    run_id: str
    grid: GridConfig
    dataset: str
    dataset_version: str
    code_version: str
    rows: tuple[RowOutcome, ...]
    started: datetime
    finished: datetime
    command: str = Field("", description="The command that ran it.")
    leakage: tuple[LeakageAudit, ...] = Field(
        (), description="One for each distinct split of the rows, but for those that the dataset does not allow."
    )
    nightly: Nightly | None = Field(
        None, description="Whether it is one of the nights, which are compared; `restart`: with none before it."
    )
    verdicts: tuple[NightVerdict, ...] = Field((), description="Of a night, by row.")
    forced: bool = Field(False, description="Whether it trained anew what had a result.")
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Fields that were set for all rows of the grid, and their values."
    )


def is_long_wait(fraction: float, seconds: float) -> bool:
    """Whether waiting for data is worth a word.

    Args:
        fraction: Of the learning time.
        seconds: The learning time.
    """
    return fraction > LONG_WAIT and fraction * seconds > _SHORT_WAIT_SECONDS


def experiment(key: str, file: str) -> str:
    """Name of an experiment's artifact."""
    return f"experiments/{key}/{file}"


def checkpoint(key: str, file: str) -> str:
    """Name of a checkpoint of an experiment that is not done."""
    return experiment(key, f"checkpoints/{file}")


def lease(key: str, file: str) -> str:
    """Name of what says that somebody trains an experiment."""
    return experiment(key, f"leases/{file}")


def grid_run(grid: str, run_id: str, file: str) -> str:
    """Name of an artifact of a grid run."""
    return f"grids/{grid}/{run_id}/{file}"


def latest_grid_run(grid: str) -> str:
    """Name of the pointer to a grid's newest run."""
    return f"grids/{grid}/latest.json"


def begun_run(grid: str, kind: Begun) -> str:
    """Name of what the nights of a grid, or its forced runs, set out to train."""
    return f"grids/{grid}/{kind}.json"


def dataset(name: str, version: str, file: str) -> str:
    """Name of an object of a dataset version."""
    return f"datasets/{name}/{version}/{file}"


def latest_dataset(name: str) -> str:
    """Name of the pointer to a dataset's newest version."""
    return f"datasets/{name}/latest.json"


def is_done(store: Store, key: str) -> bool:
    """Whether the experiment has a result."""
    return store.exists(experiment(key, "result.json"))


def read_spec(store: Store, key: str) -> ExperimentSpec:
    """The experiment's config.json.

    Raises:
        ObjectNotFoundError: There is none.
        CorruptObjectError: It does not validate.
    """
    return read_model(store, experiment(key, "config.json"), ExperimentSpec)


def read_result(store: Store, key: str) -> ExperimentResult:
    """The experiment's result.json.

    Raises:
        ObjectNotFoundError: The experiment is not done.
        CorruptObjectError: It does not validate.
    """
    return read_model(store, experiment(key, "result.json"), ExperimentResult)


def read_file(store: Store, result: ExperimentResult, file: str) -> bytes:
    """An artifact that the result names.

    Raises:
        ObjectNotFoundError: There is none.
        CorruptObjectError: Its bytes are not those that the result records.
    """
    name = experiment(result.key, file)
    data = store.read(name)
    if hashlib.sha256(data).hexdigest() != result.files[file]:
        raise CorruptObjectError(
            f"{name} in {store.url} does not have the SHA-256 that result.json records",
            remedy="delete the experiment's folder and run again",
        )
    return data


def write_model(store: Store, name: str, value: Frozen) -> None:
    """Write a value as indented JSON."""
    store.write(name, _json(value))


def create_model(store: Store, name: str, value: Frozen) -> bool:
    """Write a value as indented JSON unless the object is there; returns whether it was written."""
    return store.create(name, _json(value))


def _json(value: Frozen) -> bytes:
    return value.model_dump_json(indent=2).encode() + b"\n"


def read_model(store: Store, name: str, model: type[ModelT]) -> ModelT:
    """The value at `name`.

    Raises:
        ObjectNotFoundError: There is no such object.
        CorruptObjectError: It is not JSON, or does not validate.
    """
    try:
        value = json.loads(store.read(name))
    except (ValueError, RecursionError) as error:  # lists within lists, thousands deep
        raise CorruptObjectError(
            f"{name} in {store.url} is not JSON", remedy="delete the object and run again"
        ) from error
    return validated(model, value, source=f"{name} in {store.url}", error=CorruptObjectError)
