"""Imports that are there to stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Import what is large in this block, without the garbage collector.

    What modules leave stays to the end. To look through it again and again, as it grows, takes the collector a fifth
    of such an import's time; afterwards it never looks at it, not at the end of the process either. That holds for
    all that lives then, a cycle of garbage included: for a block that a process enters a few times.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
