"""Train an experiment from where it was interrupted, and save it on the way."""

from dataclasses import dataclass

import keras

from bloodcell.artifacts import EpochRecord
from bloodcell.checkpointing import Checkpointing
from bloodcell.checkpoints import Checkpoint, Checkpoints, Moment
from bloodcell.config import ExperimentConfig
from bloodcell.data.pipeline import Examples
from bloodcell.events import WARNING, Epoch, Progress, emit, say
from bloodcell.formatting import reached
from bloodcell.interruption import Interruption
from bloodcell.lease import Lease
from bloodcell.training import fit
from bloodcell.training_loop import Training


@dataclass(frozen=True)
class Resumption:
    """How an experiment is saved, and by what it is interrupted.

    Attributes:
        checkpoints: Of the experiment.
        every: Seconds after which a training is saved within an epoch.
        interruption: Whether to stop.
        lease: That this process alone trains it.
    """

    checkpoints: Checkpoints
    every: float
    interruption: Interruption
    lease: Lease

    def train(self, model: keras.Model, config: ExperimentConfig, examples: Examples) -> Training:
        """Train `model` in place, from the newest checkpoint that is whole and of such a model.

        Raises:
            StoppedError: It was asked to stop, and is saved.
            TransientError: Another process has taken the experiment over.
            DivergedError, DeviceMemoryError: As `fit` does.
        """
        counts = f"{len(examples.rows('train'))} images, validating on {len(examples.rows('validation'))}"
        say(f"training {config.architecture} on {counts}")
        steps = examples.steps(config.batch_size)

        def on_progress(epoch: int, step: int) -> None:
            emit(Progress(epoch=epoch, epochs=config.epochs, step=step, steps=steps))

        def on_epoch(record: EpochRecord, moment: Moment) -> None:
            emit(Epoch(epochs=config.epochs, **record.model_dump()))
            saving.on_epoch(moment)

        damaged: list[str] = []

        def warn(why: str) -> None:
            damaged.append(why)
            say(f"{WARNING}{why}")

        def fit_from(checkpoint: Checkpoint | None) -> Training:
            if checkpoint is not None:
                say(f"going on {reached(checkpoint.progress.epoch, checkpoint.progress.step)}")
            elif damaged:
                say("no other checkpoint: training from the start")
            return fit(model, config, examples, on_epoch, on_step=saving.on_step, resume=checkpoint)

        saving = Checkpointing(
            self.checkpoints,
            every=self.every,
            interruption=self.interruption,
            lease=self.lease,
            say=say,
            on_progress=on_progress,
        )
        with self.interruption.deferred(), saving:
            return self.checkpoints.restore(fit_from, warn) or fit_from(None)
