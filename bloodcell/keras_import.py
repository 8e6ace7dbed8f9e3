"""Import Keras as an experiment wants it: without what only others need, and with the fastest kernels of TensorFlow."""

import os
import sys
from typing import cast

_OPTIONAL = ("sklearn", "matplotlib.pyplot")
"""What Keras does without where it is not installed: its wrappers for scikit-learn, which brings `scipy.stats` with
it, and its galleries of images. That is a sixth of what an experiment's imports take; see docs/adr/0016."""


def import_keras() -> None:
    """Import Keras, with the kernels of oneDNN, and as where what it has no need of is not installed.

    What was hidden from it is importable afterwards, as ever. Without effect once Keras is imported.
    """
    # TensorFlow reads this once, and by itself turns these kernels on only for CPUs with AVX-512 VNNI or more: on AMD's
    # up to Zen 3 and on older ones of Intel's a step of MobileNet takes about twice as long without. A user's own
    # choice stands.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    # None is Python's own way to say that a module is not to be found.
    cast("dict[str, None]", sys.modules).update(dict.fromkeys(hidden))
    try:
        import keras  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
