"""The object store: the one thing that the orchestrator and an experiment share."""

from bloodcell.store.base import Store, open_store
from bloodcell.store.local import LocalStore

__all__ = ["LocalStore", "Store", "open_store"]
