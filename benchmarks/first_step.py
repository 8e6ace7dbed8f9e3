"""A child's way to its second training step, in a fresh interpreter: `benchmarks.startup` runs it and reads its JSON.

Imports stand where they are timed.
"""

import json
import sys
import time
from pathlib import Path

IMPORTED, FIRST, SECOND = "import of this project", "first step, with its tracing", "second step"
"""The last phase that a forked child is spared, and the last two."""


def main(began: float, store: Path, cache: Path, model: str, side: int) -> dict[str, float]:
    """Go through the phases of `bloodcell.experiment` in its order, with a batch of 32.

    The backbone's weights are those that the first such process leaves beside the store.

    Args:
        began: When this process was started, by `time.time()`.
        store: With the dataset of `benchmarks.photographs`.
        cache: For decoded images.
        model: Name of the backbone.
        side: Of the images, in pixels.

    Returns:
        Seconds of each phase.
    """
    ends = {"interpreter": time.time()}

    from bloodcell.config import ExperimentConfig

    config = ExperimentConfig.model_validate({"backbone": model, "image_size": side, "weights": "none", "epochs": 1})
    ends["configuration"] = time.time()

    from bloodcell.keras_import import import_keras
    from bloodcell.lasting import lasting

    with lasting():
        import_keras()
        import keras
    ends["import of TensorFlow and Keras"] = time.time()

    with lasting():
        import bloodcell.experiment  # noqa: F401 - what it imports is what is timed
    from benchmarks.examples import examples
    from benchmarks.photographs import Published
    from bloodcell.checkpoints import Moment
    from bloodcell.model import build_model
    from bloodcell.training import fit, set_up

    ends[IMPORTED] = time.time()
    set_up(config.seed, threads=1)
    found = examples(Published.at(store), config, cache)
    ends["manifest, split and images"] = time.time()
    network = build_model(config, classes=4)
    ends["model"] = time.time()
    backbone = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    weights = store.parent / "backbone.weights.h5"
    if weights.exists():
        backbone.load_weights(weights)
    else:
        backbone.save_weights(weights)
    ends["weights"] = time.time()

    def on_step(moment: Moment) -> None:
        if moment.step <= 2:
            ends.setdefault((FIRST, SECOND)[moment.step - 1], time.time())

    fit(network, config, found, lambda *_: None, on_step=on_step)
    times = [began, *ends.values()]
    return {name: end - start for name, start, end in zip(ends, times, times[1:], strict=False)}


if __name__ == "__main__":
    began, store, cache, model, side = sys.argv[1:]
    print(json.dumps(main(float(began), Path(store), Path(cache), model, int(side))))  # noqa: T201
