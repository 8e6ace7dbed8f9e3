"""The object store: the one thing that the orchestrator and an experiment share."""

from pathlib import Path

from bloodcell.errors import ConfigError
from bloodcell.store.base import Store
from bloodcell.store.local import LocalStore

__all__ = ["LocalStore", "Store", "open_store"]


def open_store(url: str) -> Store:
    """The store at `url`.

    Args:
        url: `file://<folder>`, absolute or relative to the working folder.

    Raises:
        ConfigError: The scheme is not known.
    """
    folder = url.removeprefix("file://")
    if folder not in ("", url):
        return LocalStore(Path(folder))
    raise ConfigError(f"store URL is {url!r}; accepted is file://<folder>", remedy="set BLOODCELL_STORE to such a URL")
