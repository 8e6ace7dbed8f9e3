"""Seed, fit and predict: all that touches a model's numbers after it is built."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bloodcell.artifacts import SPLITS, EpochRecord
from bloodcell.checkpoints import Checkpoint, Moment
from bloodcell.config import ExperimentConfig
from bloodcell.data.pipeline import Examples
from bloodcell.errors import DeviceMemoryError
from bloodcell.training_loop import AfterEachBatch, Loop, Training
from bloodcell.waiting import measured


def set_up(seed: int, threads: int, gpu_memory: int | None = None) -> str:
    """Seed everything and set the CPU threads and the GPU memory, before any operation runs.

    Args:
        seed: The experiment's.
        threads: CPU threads to compute with.
        gpu_memory: MiB that may be taken of each GPU, all of them at the first operation. Where left out, as much as
            is needed is taken, when it is: TensorFlow's own default, all there is, would leave other experiments none.

    Returns:
        What will compute: `CPU`, or the name of the first GPU.
    """
    keras.utils.set_random_seed(seed)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        if gpu_memory is None:
            tf.config.experimental.set_memory_growth(gpu, True)
        else:
            limited = tf.config.LogicalDeviceConfiguration(memory_limit=gpu_memory)
            tf.config.set_logical_device_configuration(gpu, [limited])
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    # On a CPU it costs next to nothing; on a GPU some operations have no deterministic form.
    tf.config.experimental.enable_op_determinism()
    return "CPU"


def fit(
    model: keras.Model,
    config: ExperimentConfig,
    examples: Examples,
    on_epoch: Callable[[EpochRecord, Moment], None],
    *,
    on_step: Callable[[Moment], None] = lambda _: None,
    resume: Checkpoint | None = None,
) -> Training:
    """Train `model` in place.

    On a CPU, a training that goes on from a checkpoint ends with the numbers of one that was never interrupted, to the
    bit: what decides them is in the checkpoint, in the seed and the number of the epoch, and in nothing else.

    Args:
        model: The compiled model.
        config: The experiment.
        examples: Images to train and validate on.
        on_epoch: Called with each epoch's record, and with the training as it is then.
        on_step: Called after each step of training and of validation, with the training as it is then.
        resume: Where to go on; at the beginning where left out.

    Raises:
        CorruptObjectError: The checkpoint is not of such a model. The model is as it was.
        DivergedError: A loss became NaN or infinite.
        DeviceMemoryError: The device has too little memory.
    """
    loop = Loop(model, config, examples.steps(config.batch_size), _early_stopping(config))
    create_variables(model)
    if resume is not None:
        loop.restore(resume)
    train = examples.training_batches(
        batch_size=config.batch_size,
        epochs=config.epochs,
        seed=config.seed,
        first_epoch=loop.epoch,
        first_step=loop.step,
    )
    validation = examples.evaluation_batches("validation", batch_size=_evaluation_batch(config))
    with _memory_errors(config), measured(model, train, validation) as waiting:
        loop.run(train, validation, waiting, on_epoch, on_step)
    return loop.training()


def create_variables(model: keras.Model) -> None:
    """Create the optimizer's variables and the metrics': the train step, which would, is then traced once, not twice.

    It takes seconds off every training, and changes no number of it.

    Args:
        model: The compiled model, before its first step.
    """
    if not model.optimizer.built:  # the one that scales a float16 loss would make them twice
        model.optimizer.build(model.trainable_variables)
    probabilities = np.full((1, model.output_shape[-1]), 1 / model.output_shape[-1], np.float32)
    model.compute_metrics(None, np.zeros(1, np.int32), probabilities)
    model.reset_metrics()


def predict(
    model: keras.Model,
    config: ExperimentConfig,
    examples: Examples,
    on_step: Callable[[int], None] = lambda _: None,
) -> npt.NDArray[np.float32]:
    """Probabilities of the images in `SPLITS`, in order, dropout off.

    Args:
        model: The trained model.
        config: The experiment.
        examples: The images.
        on_step: Called after each batch with how many have been scored.

    Returns:
        Shape (images, classes).

    Raises:
        DeviceMemoryError: The device has too little memory.
    """
    with _memory_errors(config):
        batches = examples.evaluation_batches(*SPLITS, batch_size=_evaluation_batch(config))
        each_step = AfterEachBatch(lambda batch: on_step(batch + 1))
        probabilities: npt.NDArray[np.float32] = model.predict(batches, callbacks=[each_step], verbose=0)
    return probabilities


def _evaluation_batch(config: ExperimentConfig) -> int:
    """Without gradients a larger batch fits; but who lowers the batch size to save memory lowers this too."""
    return min(128, 4 * config.batch_size)


def _early_stopping(config: ExperimentConfig) -> keras.callbacks.EarlyStopping | None:
    if config.early_stopping is None:
        return None
    return keras.callbacks.EarlyStopping(
        config.early_stopping.monitor,
        min_delta=config.early_stopping.min_delta,
        patience=config.early_stopping.patience,
        restore_best_weights=config.early_stopping.restore_best,
    )


@contextmanager
def _memory_errors(config: ExperimentConfig) -> Iterator[None]:
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise DeviceMemoryError(
            f"memory ran out at batch_size {config.batch_size} and image_size {config.side} px",
            remedy="lower batch_size or image_size, or run fewer experiments at once (BLOODCELL_SLOTS)",
        ) from error
