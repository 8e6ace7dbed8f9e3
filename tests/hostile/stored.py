"""A store in which somebody else has written: names of objects, JSON, manifests, weights."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcell import artifacts
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import read_info
from bloodcell.data.manifest import manifest_bytes, read_manifest
from bloodcell.errors import CorruptObjectError, DataError, ObjectNotFoundError
from bloodcell.published import PublishedRun, fetch
from bloodcell.store import LocalStore
from tests.hostile.case import Case
from tests.hostile.giving import described, pushed, zipped


def _reads(name: str) -> Callable[[Path], str]:
    return lambda folder: LocalStore(folder / "store").read(name).decode()


def _dataset(name: str) -> Callable[[Path], str]:
    return lambda folder: described(read_info(LocalStore(folder / "store"), name))


def _description(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], str]:
    """Reads a dataset whose dataset.json was changed."""

    def give(folder: Path) -> str:
        info = pushed(folder, zipped(folder, {}))
        value = info.model_dump(mode="json")
        text = change(value)
        data = text if isinstance(text, bytes) else json.dumps(value).encode()
        store = LocalStore(folder / "store")
        store.write(artifacts.dataset("cells", info.version, "dataset.json"), data)
        read = read_info(store, "cells")
        read_manifest(store, read)
        return described(read)

    return give


def _manifest(change: Callable[[pd.DataFrame], pd.DataFrame | bytes]) -> Callable[[Path], str]:
    """Reads a dataset whose manifest was changed, and its recorded hash with it."""

    def give(folder: Path) -> str:
        info = pushed(folder, zipped(folder, {}))
        store = LocalStore(folder / "store")
        changed = change(read_manifest(store, info))
        data = changed if isinstance(changed, bytes) else _parquet(changed)
        store.write(artifacts.dataset("cells", info.version, "manifest.parquet"), data)
        digest = hashlib.sha256(data).hexdigest()
        return str(len(read_manifest(store, info.model_copy(update={"manifest_sha256": digest}))))

    return give


def _parquet(table: pd.DataFrame) -> bytes:
    try:
        return manifest_bytes(table)
    except (KeyError, ValueError):  # other columns, or of other types
        return table.to_parquet()


def _forged(folder: Path) -> str:
    info = pushed(folder, zipped(folder, {}))
    store = LocalStore(folder / "store")
    store.write(artifacts.dataset("cells", info.version, "manifest.parquet"), b"PAR1 forged PAR1")
    return str(len(read_manifest(store, info)))


def _latest(folder: Path) -> str:
    store = LocalStore(folder / "store")
    store.write("datasets/cells/latest.json", b'{"version": "../../../../etc"}')
    return described(read_info(store, "cells"))


class _Bucket(LocalStore):
    """A bucket takes any name, and lists it."""

    def list(self, prefix: str):
        yield f"{prefix}../../../../.bashrc"


def _climbs(folder: Path) -> str:
    return str(fetch(_Bucket(folder / "store"), PublishedRun("g", "20260101"), folder / "reports"))


def _spec(folder: Path) -> str:
    store = LocalStore(folder / "store")
    config = ExperimentConfig(weights="/home/me/mine.weights.h5").model_dump(mode="json")
    spec = {"config": config, "dataset": "cells", "dataset_version": "0" * 16, "code_version": "c"}
    store.write("experiments/0c5d/config.json", json.dumps(spec).encode())
    return artifacts.read_spec(store, "0c5d").key


STORED = (
    Case("the object `../../etc/passwd`", _reads("../../etc/passwd"), "without `..`", DataError),
    Case("the object `/etc/passwd`", _reads("/etc/passwd"), "relative paths", DataError),
    Case("an object with a null byte in its name", _reads("a\0b"), "'a\\x00b'", DataError),
    Case("the dataset `../../etc`", _dataset("../../etc"), "without `..`", DataError),
    Case(
        "a dataset that is not there, with a terminal sequence", _dataset("\x1b[2J"), "holds none", ObjectNotFoundError
    ),
    Case("a pointer to a version `../../../../etc`", _latest, "without `..`", DataError),
    Case("a report with a file `../../../../.bashrc`", _climbs, "without `..`", DataError),
    Case("a `dataset.json` that is no JSON", _description(lambda _: b"\xff{"), "is not JSON", CorruptObjectError),
    Case(
        "a `dataset.json` of 100,000 brackets",
        _description(lambda _: b"[" * 100_000),
        "is not JSON",
        CorruptObjectError,
    ),
    Case(
        "a `dataset.json` with a field of its own",
        _description(lambda value: value.update(admin=True)),
        "admin: no such field",
        CorruptObjectError,
    ),
    Case(
        "a `dataset.json` with text for the number of images",
        _description(lambda value: value.update(images="many")),
        "received 'many'",
        CorruptObjectError,
    ),
    Case(
        "a `dataset.json` of -1 images",
        _description(lambda value: value.update(images=-1)),
        "2 rows for -1",
        CorruptObjectError,
    ),
    Case(
        "a `dataset.json` with other classes",
        _description(lambda value: value.update(labels=["A", "C"])),
        "other classes",
        CorruptObjectError,
    ),
    Case("a manifest with another hash than was recorded", _forged, "does not have the SHA-256", CorruptObjectError),
    Case(
        "a manifest that is no Parquet, and its hash recorded",
        _manifest(lambda _: b"PAR1 forged PAR1"),
        "is no Parquet file",
        CorruptObjectError,
    ),
    Case(
        "a manifest of more rows",
        _manifest(lambda table: pd.concat([table, table])),
        "4 rows for 2",
        CorruptObjectError,
    ),
    Case(
        "a manifest without its column `source`",
        _manifest(lambda table: table.drop(columns="source")),
        "other columns",
        CorruptObjectError,
    ),
    Case(
        "a manifest with text for the position",
        _manifest(lambda table: table.assign(position="first")),
        "of other types",
        CorruptObjectError,
    ),
    Case(
        "a manifest with empty cells",
        _manifest(lambda table: table.assign(label=None)),
        "cells empty",
        CorruptObjectError,
    ),
    Case(
        "a manifest with a class nobody knows",
        _manifest(lambda table: table.assign(label="C")),
        "other classes",
        CorruptObjectError,
    ),
    Case(
        "a manifest that names a shard -1",
        _manifest(lambda table: table.assign(shard=-1)),
        "other shards",
        CorruptObjectError,
    ),
    Case(
        "a manifest with two images at one place",
        _manifest(lambda table: table.assign(position=0)),
        "one place",
        CorruptObjectError,
    ),
    Case(
        "an experiment whose weights are a file of this machine",
        _spec,
        "names an object of the store",
        CorruptObjectError,
    ),
)
