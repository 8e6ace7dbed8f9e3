"""Progress as one JSON object a line on stdout: how a container speaks to its runner."""

import sys
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Step(_Event):
    """The experiment began a step that may take a while."""

    event: Literal["step"] = "step"
    message: str


class Epoch(_Event):
    """An epoch ended. Losses are cross-entropies in nats, accuracies fractions; `waiting` is as in EpochRecord."""

    event: Literal["epoch"] = "epoch"
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    waiting: float | None = None


class Progress(_Event):
    """A training is within an epoch that takes long; a sign of life."""

    event: Literal["progress"] = "progress"
    epoch: int = Field(description="From 1.")
    epochs: int
    step: int = Field(description="Steps of the epoch that are done; all of them while it validates.")
    steps: int


class Window(_Event):
    """A stretch of training that is measured, and not an experiment's."""

    event: Literal["window"] = "window"
    began: float = Field(description="In seconds of the clock that all processes of the machine share.")
    ended: float = Field(description="By the same clock.")
    images: int = Field(description="Images trained on.")
    memory: int = Field(description="The most memory that the process has held so far, in bytes.")


class Done(_Event):
    """The result is in the store."""

    event: Literal["done"] = "done"
    message: str


class Failure(_Event):
    """The experiment failed; the exit code tells whether it may be tried again."""

    event: Literal["error"] = "error"
    problem: str
    remedy: str


Event = Step | Epoch | Progress | Window | Done | Failure
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def emit(event: Event) -> None:
    """Write `event` as one line to stdout, at once."""
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


def say(sentence: str) -> None:
    """Emit a `Step`."""
    emit(Step(message=sentence))


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
