"""The pictures that explain a result: its worst errors, and where the network looks. Drawn when all is scored."""

from collections.abc import Sequence

import keras
import pandas as pd

from bloodcell.data.decoded import Images
from bloodcell.events import Step, emit
from bloodcell.gradcam import gradcam
from bloodcell.report.diagnostics import ERRORS, GRADCAM
from bloodcell.report.gallery import gallery, worst_errors
from bloodcell.report.saliency import examples, saliency


def explanations(
    model: keras.Model, images: Images, predictions: pd.DataFrame, labels: Sequence[str], title: str
) -> dict[str, bytes]:
    """Draw the pictures of the test images.

    They explain the result and are no part of it: a failure is told in the log, and its picture left out.

    Args:
        model: The trained model.
        images: uint8 of shape (n, side, side, 3).
        predictions: As from `bloodcell.evaluation.predictions_table`, indexed by the numbers of the images.
        labels: Classes, in the order of the model's output.
        title: Printed above each picture.

    Returns:
        JPEG by the name of the artifact. A model that calls every test image right has no errors to show.
    """
    test = predictions[predictions["split"] == "test"]
    pictures = {}
    try:
        if len(errors := worst_errors(test, labels)):
            pictures[ERRORS] = gallery(errors, images[errors.index], f"{title}\nworst errors on the test images")
        chosen = examples(test, labels)
        shown = images[chosen.index]
        maps = gradcam(model, shown, chosen["predicted"].map(list(labels).index).to_numpy())
        pictures[GRADCAM] = saliency(chosen, shown, maps, f"{title}\nGrad-CAM of the predicted class")
    except Exception as error:  # noqa: BLE001 - of all that may fail on a device, nothing is worth the training
        emit(Step(message=f"not all pictures could be drawn: {error!r}"))
    return pictures
