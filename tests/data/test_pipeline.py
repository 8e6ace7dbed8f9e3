from itertools import chain

import numpy as np
import pandas as pd
import pytest

from bloodcell.data.pipeline import Examples


def examples(splits: list[str]) -> Examples:
    """Images whose one pixel value is their number, which is their label too."""
    numbers = np.arange(len(splits))
    images = numbers.astype(np.uint8)[:, None, None, None] * np.ones((1, 1, 1, 3), np.uint8)
    return Examples(images, numbers.astype(np.int32), pd.Series(splits))


def order(*, seed: int, epochs: int, size: int = 10, **start: int) -> list[list[int]]:
    """The images of each training batch."""
    given = examples(["train"] * size + ["test"])
    batches = given.training_batches(batch_size=4, epochs=epochs, seed=seed, **start)
    found = []
    for pixels, labels in batches.as_numpy_iterator():
        np.testing.assert_array_equal(pixels[:, 0, 0, 0], labels)
        found.append(labels.tolist())
    assert start or len(found) == given.steps(4) * epochs
    return found


def test_each_epoch_has_every_training_image_once_in_an_order_of_its_own():
    batches = order(seed=3, epochs=2)
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    first, second = [*chain(*batches[:3])], [*chain(*batches[3:])]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    assert order(seed=3, epochs=1) == order(seed=3, epochs=2)[:3]
    assert order(seed=3, epochs=1) != order(seed=4, epochs=1)


@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 2), (1, 0), (1, 1), (1, 3), (2, 3)])
def test_the_batches_from_any_step_are_those_that_follow_it(epoch, step):
    whole = order(seed=3, epochs=3)
    assert order(seed=3, epochs=3, first_epoch=epoch, first_step=step) == whole[3 * epoch + step :]


def test_evaluation_keeps_the_order_of_the_named_splits():
    batches = examples(["test", "train", "seen", "test", "unused"]).evaluation_batches("test", "seen", batch_size=2)
    assert [labels.tolist() for _, labels in batches.as_numpy_iterator()] == [[0, 2], [3]]
