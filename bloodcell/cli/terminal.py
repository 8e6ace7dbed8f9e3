"""What the commands share: the store of the environment, progress bars."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bloodcell.store import Store


def configured_store() -> "Store":
    """The store that the environment names.

    Raises:
        ConfigError: A BLOODCELL_ variable is not accepted.
    """
    from bloodcell.settings import load_settings
    from bloodcell.store import open_store

    return open_store(load_settings().store)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, advanced by the function it gives: (done, total). It appears with the first call."""
    with ExitStack() as shown:
        # Made when it appears: it takes the time since then for its pace.
        bar = cache(lambda: shown.enter_context(click.progressbar(length=1, label=label, file=sys.stderr)))

        def advance(done: int, total: int) -> None:
            bar().length = total
            bar().update(done - bar().pos)
            if done >= total:
                shown.close()  # so that the next bar has a line of its own

        yield advance
