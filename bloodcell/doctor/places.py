"""Cache, memory and store."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from bloodcell import artifacts
from bloodcell.data.dataset import dataset_names
from bloodcell.doctor.check import Check, failure, ok, warning
from bloodcell.errors import BloodcellError
from bloodcell.files import storage_errors
from bloodcell.settings import Settings
from bloodcell.store import Store, open_store

_GIB = 2**30
_CACHE_ROOM = 2 * _GIB
"""The Kaggle set takes 1.9 GB once decoded at 224 px, beside its shards."""

_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Below /sys/fs/cgroup, as a container sees it: version 2, version 1."""

_CGROUP_USAGE = (
    ("memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
"""The same for what is taken: its file, that of its parts, and the name of the part that the kernel gives up first."""


def checks(settings: Settings, *, write: bool) -> Iterator[Check]:
    """Cache, memory and store.

    Args:
        settings: Where they are.
        write: Whether to write an object to the store as well.
    """
    yield cache(settings.cache)
    yield memory(psutil.virtual_memory().total, memory_limit(Path("/sys/fs/cgroup")), Path("/dev/shm"))  # noqa: S108
    try:
        yield store(open_store(settings.store), write=write)
    except BloodcellError as error:
        yield failure("store", error)


def cache(folder: Path) -> Check:
    """Whether the cache can be written, and has room.

    Args:
        folder: The cache; made if it is not there.
    """
    try:
        with storage_errors("a file", str(folder), "BLOODCELL_CACHE"):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\0")
                file.flush()
            free = shutil.disk_usage(folder).free
    except BloodcellError as error:
        return failure("cache", error)
    found = f"{folder}, {free / _GIB:.1f} GiB free"
    if free < _CACHE_ROOM:
        return warning(
            "cache",
            f"{found}; the Kaggle set needs 2 at 224 px",
            remedy="free space there, or set BLOODCELL_CACHE to another folder",
        )
    return ok("cache", found)


def memory(total: int, limit: int | None, shared: Path) -> Check:
    """How much memory an experiment may use.

    Args:
        total: The machine's, in bytes.
        limit: What the container may use, in bytes; None where it has no limit.
        shared: The folder of shared memory.
    """
    parts = [f"{total / _GIB:.1f} GiB"]
    if limit is not None and limit < total:
        parts.append(f"of which {limit / _GIB:.1f} may be used here")
    if shared.is_dir():
        parts.append(f"{shared} {shutil.disk_usage(shared).total / _GIB:.2f} GiB")
    return ok("memory", ", ".join(parts))


def memory_limit(cgroup: Path) -> int | None:
    """The memory limit of this container, in bytes; None where there is none.

    Args:
        cgroup: The folder of control groups.
    """
    for name in _CGROUP_LIMITS:
        try:
            limit = (cgroup / name).read_text().strip()
        except OSError:
            continue
        return int(limit) if limit.isdigit() else None
    return None


def memory_left(cgroup: Path) -> int | None:
    """How much of its memory limit this container has not taken, in bytes; None where there is no limit.

    What the kernel keeps of files and would give up first counts as not taken.

    Args:
        cgroup: The folder of control groups.
    """
    limit = memory_limit(cgroup)
    if limit is None:
        return None
    for usage, statistics, reclaimable in _CGROUP_USAGE:
        try:
            taken = int((cgroup / usage).read_text())
            lines = (cgroup / statistics).read_text().splitlines()
        except OSError:
            continue
        cached = next((int(line.split()[1]) for line in lines if line.startswith(f"{reclaimable} ")), 0)
        return max(0, limit - max(0, taken - cached))
    return limit


def store(opened: Store, *, write: bool) -> Check:
    """Whether the store answers.

    Writing is asked for by name, as what is written stays; a grid's first act is to write, so that a store which
    may only be read is told within seconds all the same.

    Args:
        opened: The store.
        write: Whether to write an object as well.

    Raises:
        BloodcellError: It does not answer, or refuses.
    """
    names = dataset_names(opened)
    found = f"{opened.url}, {len(names)} dataset{'' if len(names) == 1 else 's'}"
    if not write:
        return ok("store", found)
    opened.write(artifacts.DOCTOR, b"bloodcell doctor was here\n")
    return ok("store", f"{found}; an object can be written")
