"""Every method of a store, called so that its outcome is known: whole, or an error."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bloodcell.errors import BloodcellError
from bloodcell.store import Store
from tests.faults.kinds import Exchange

MEBIBYTE = 2**20
PART = 5 * MEBIBYTE
SMALL = b"small " * 50
LARGE = hashlib.sha256(b"seed").digest() * (6 * MEBIBYTE // 32)  # two parts


def about(use: str) -> Callable[[Exchange], bool]:
    """The requests of a method that matter: of a large object those for its parts."""

    def matters(exchange: Exchange) -> bool:
        part = {"download": exchange.fetches_object, "upload": "partNumber=" in exchange.path}
        return f"of-{use}" in exchange.path and part.get(use, True)

    return matters


class Uses:
    """Each method of a store, on objects of its own; called, they check what they got."""

    names = ("exists", "read", "list", "download", "write", "create", "upload")

    def __init__(self, store: Store, direct: Store, folder: Path) -> None:
        self.store, self.direct, self.folder = store, direct, folder
        (folder / "in").write_bytes(LARGE)
        for use in ("exists", "read", "list"):
            direct.write(f"of-{use}/a", SMALL)
        direct.upload(folder / "in", "of-download/a")

    def exists(self) -> None:
        assert self.store.exists("of-exists/a")

    def read(self) -> None:
        assert self.store.read("of-read/a") == SMALL

    def list(self) -> None:
        assert list(self.store.list("of-list/")) == ["of-list/a"]

    def download(self) -> None:
        self.store.download("of-download/a", self.folder / "out" / "file")
        assert (self.folder / "out" / "file").read_bytes() == LARGE

    def write(self) -> None:
        self.store.write("of-write/a", SMALL)
        assert self.direct.read("of-write/a") == SMALL

    def create(self) -> None:
        assert self.store.create("of-create/a", SMALL)
        assert self.direct.read("of-create/a") == SMALL

    def upload(self) -> None:
        self.store.upload(self.folder / "in", "of-upload/a")
        assert self.direct.read("of-upload/a") == LARGE

    def outcome(self, use: str) -> tuple[BaseException | None, float]:
        """How it ended, and after how many seconds."""
        started = time.monotonic()
        try:
            getattr(self, use)()
        except BloodcellError as error:
            return error, time.monotonic() - started
        return None, time.monotonic() - started

    def all(self) -> dict[str, tuple[BaseException | None, float]]:
        """All at once, as most of each is waiting."""
        with ThreadPoolExecutor(len(self.names)) as pool:
            return dict(zip(self.names, pool.map(self.outcome, self.names), strict=True))
