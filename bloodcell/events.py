"""Progress as one JSON object a line on stdout: how a container speaks to its runner."""

import sys
import time
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bloodcell.printable import printable_lines

LAST_EPOCH = 10_000
"""The most epochs that an experiment may have, as `ExperimentConfig.epochs` says."""

Lines = Annotated[str, AfterValidator(printable_lines)]


WARNING = "warning: "
"""How the message of a step begins that people should see."""

SIGN_OF_LIFE_SECONDS = 15.0
"""How often an experiment says that it goes on, where nothing else is to be said."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Step(_Event):
    """The experiment began a step that may take a while."""

    event: Literal["step"] = "step"
    message: Lines


class Epoch(_Event):
    """An epoch ended. Losses are cross-entropies in nats, accuracies fractions; `waiting` is as in EpochRecord."""

    event: Literal["epoch"] = "epoch"
    epoch: int = Field(ge=1)
    epochs: int = Field(ge=1, le=LAST_EPOCH)
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    waiting: float | None = None

    @model_validator(mode="after")
    def _is_within_the_training(self) -> Self:
        # A bar is drawn from it, whose length is the fraction done.
        if self.epoch > self.epochs:
            raise ValueError(f"epoch is {self.epoch} of {self.epochs}")
        return self


class Progress(_Event):
    """A training is within an epoch that takes long; a sign of life."""

    event: Literal["progress"] = "progress"
    epoch: int = Field(ge=1, le=10**6, description="From 1.")
    epochs: int = Field(ge=1, le=10**6)
    step: int = Field(ge=0, description="Steps of the epoch that are done; all of them while it validates.")
    steps: int = Field(ge=1, le=10**12)

    @model_validator(mode="after")
    def _is_within_the_training(self) -> Self:
        if self.epoch > self.epochs or self.step > self.steps:
            raise ValueError(f"epoch is {self.epoch} of {self.epochs}, step {self.step} of {self.steps}")
        return self


class Window(_Event):
    """A stretch of training that is measured, and not an experiment's."""

    event: Literal["window"] = "window"
    began: FiniteFloat = Field(description="In seconds of the clock that all processes of the machine share.")
    ended: FiniteFloat = Field(description="By the same clock.")
    images: int = Field(ge=0, description="Images trained on.")
    memory: int = Field(ge=0, description="The most memory that the process has held so far, in bytes.")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.ended <= self.began:
            raise ValueError(f"it began at {self.began} and ended at {self.ended}")
        return self


class Done(_Event):
    """The result is in the store."""

    event: Literal["done"] = "done"
    message: Lines


class Failure(_Event):
    """The experiment failed; the exit code tells whether it may be tried again."""

    event: Literal["error"] = "error"
    problem: Lines
    remedy: Lines


Event = Step | Epoch | Progress | Window | Done | Failure
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def emit(event: Event) -> None:
    """Write `event` as one line to stdout, at once."""
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


def say(sentence: str) -> None:
    """Emit a `Step`."""
    emit(Step(message=sentence))


class NowAndThen:
    """Whether it is time again for a sign of life, which a runner listens for."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last one was long ago; if so, the next one counts as given."""
        now = time.monotonic()
        if now - self._told < SIGN_OF_LIFE_SECONDS:
            return False
        self._told = now
        return True


def parse(line: str) -> Event | None:
    """The event in `line`, or None where it is an ordinary line of log (a library's, say).

    What stands before the event is passed over: a library may have begun a line and not ended it.
    """
    start = line.find('{"event":')
    if start < 0:
        return None
    try:
        return _EVENT.validate_json(line[start:])
    except ValidationError:
        return None
