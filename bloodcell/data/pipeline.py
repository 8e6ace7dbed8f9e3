"""From decoded images to batches. What remains to be done for a training is the copy of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from bloodcell.data.decoded import Images


@dataclass(frozen=True)
class Examples:
    """Images, the class of each, and the split each is in; all of one length.

    Attributes:
        images: uint8 of shape (n, side, side, 3).
        labels: Class numbers of shape (n,).
        split: Names as `bloodcell.data.splits` gives them.
    """

    images: Images
    labels: npt.NDArray[np.int32]
    split: "pd.Series[str]"

    @classmethod
    def of(cls, manifest: pd.DataFrame, labels: Sequence[str], split: "pd.Series[str]", images: Images) -> Self:
        """Number each image's class by the place of its label in `labels`."""
        return cls(images, np.array([labels.index(label) for label in manifest["label"]], np.int32), split)

    def rows(self, *names: str) -> npt.NDArray[np.int64]:
        """Numbers of the images in the named splits."""
        return np.flatnonzero(self.split.isin(names))

    def steps(self, batch_size: int) -> int:
        """Training batches an epoch."""
        return -(-len(self.rows("train")) // batch_size)

    def training_batches(
        self, *, batch_size: int, epochs: int, seed: int, first_epoch: int = 0, first_step: int = 0
    ) -> tf.data.Dataset:
        """Batches of all epochs in one dataset, each epoch in an order of its own that (seed, epoch) decides.

        An epoch's order does not depend on the epochs before it, so a training may start at any step of any of them.

        Args:
            batch_size: Images a batch; an epoch's last batch may be smaller.
            epochs: Number of epochs.
            seed: Seed of the order.
            first_epoch: The epoch to start in, from 0.
            first_step: The batch of that epoch to start with, from 0.

        Returns:
            Dataset of (uint8 (batch, side, side, 3), int32 (batch,)).
        """
        rows = self.rows("train")

        def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
            key = tf.stack([tf.constant(seed, tf.int64), epoch])
            order = tf.random.experimental.stateless_shuffle(tf.constant(rows), seed=key)
            return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

        batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_order)
        return self._gathered(batches.skip(first_step))  # numbers only: the images of these batches are not read

    def evaluation_batches(self, *names: str, batch_size: int) -> tf.data.Dataset:
        """Batches of the images in the named splits, once, in order. Shapes as in `training_batches`."""
        return self._gathered(tf.data.Dataset.from_tensor_slices(self.rows(*names)).batch(batch_size))

    def _gathered(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        images, labels, side = self.images, tf.constant(self.labels), self.images.shape[1]

        def gather(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = tf.numpy_function(lambda index: images[index], [rows], tf.uint8, stateful=False)
            return tf.ensure_shape(batch, (None, side, side, 3)), tf.gather(labels, rows)

        options = tf.data.Options()
        # There is nothing to tune in a copy, and the tuner's thread may sleep for up to a minute while its dataset
        # waits to be freed, which looks like learning time.
        options.autotune.enabled = False
        return batches.map(gather).prefetch(2).with_options(options)
