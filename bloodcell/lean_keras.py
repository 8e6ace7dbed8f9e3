"""Import Keras without what it imports only to offer it to others."""

import sys
from typing import cast

_OPTIONAL = ("sklearn", "matplotlib.pyplot")
"""What Keras does without where it is not installed: its wrappers for scikit-learn, which brings `scipy.stats` with
it, and its galleries of images. That is a sixth of what an experiment's imports take; see docs/adr/0016."""


def import_keras() -> None:
    """Import Keras as where these are not installed; they are importable afterwards, as ever.

    Without effect once Keras is imported.
    """
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    # None is Python's own way to say that a module is not to be found.
    cast("dict[str, None]", sys.modules).update(dict.fromkeys(hidden))
    try:
        import keras  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
