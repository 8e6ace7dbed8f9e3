"""Decoded images of a published set, as a training takes them, and one batch in their stead. Loads TensorFlow."""

from pathlib import Path

import pandas as pd
import tensorflow as tf

from benchmarks.photographs import Published
from bloodcell.config import ExperimentConfig
from bloodcell.data.cache import decoded_images
from bloodcell.data.decoded import Images
from bloodcell.data.pipeline import Examples
from bloodcell.data.splits import assign

_NO_LIMIT = 2**63


def pixels(published: Published, side: int, cache: Path) -> Images:
    """The images of a set, decoded into a cache."""
    return decoded_images(
        published.store, published.info, published.manifest, side, cache=cache, limit=_NO_LIMIT, say=lambda _: None
    )


def examples(published: Published, config: ExperimentConfig, cache: Path) -> Examples:
    """The images of a set in the split of an experiment."""
    split = assign(published.manifest, config, sources_known=published.info.sources_known)
    return Examples.of(published.manifest, published.info.labels, split, pixels(published, config.side, cache))


def whole_batches(published: Published, images: Images, batch_size: int) -> Examples:
    """The same images in a split whose parts are whole batches: one evaluates, and of the rest as many train as fit."""
    evaluated = 4 * batch_size
    trained = (len(images) - evaluated) // batch_size * batch_size
    split = pd.Series("unused", index=published.manifest.index)
    split.iloc[:trained] = "train"
    split.iloc[trained : trained + evaluated] = "validation"
    return Examples.of(published.manifest, published.info.labels, split, images)


class OneBatch(Examples):
    """Examples whose every batch is the first, kept in memory: a training on them waits for no input."""

    def training_batches(
        self, *, batch_size: int, epochs: int, seed: int, first_epoch: int = 0, first_step: int = 0
    ) -> tf.data.Dataset:
        """See `Examples.training_batches`; there is no end of them."""
        batches = super().training_batches(
            batch_size=batch_size, epochs=epochs, seed=seed, first_epoch=first_epoch, first_step=first_step
        )
        return batches.take(1).cache().repeat()

    def evaluation_batches(self, *names: str, batch_size: int) -> tf.data.Dataset:
        """As many batches as the images make; see `Examples.evaluation_batches`."""
        batches = super().evaluation_batches(*names, batch_size=batch_size)
        return batches.take(1).cache().repeat(-(-len(self.rows(*names)) // batch_size))
