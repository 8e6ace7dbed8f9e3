"""A dataset version in the store: its description, and how it is read and published.

The order of writing is the promise: shards and manifest first, `dataset.json` when they are all there,
`latest.json` at the very end. A reader starts from the end and so never sees half a dataset.
"""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import Field

from bloodcell import artifacts
from bloodcell.artifacts import LatestVersion
from bloodcell.errors import CorruptObjectError, ObjectNotFoundError
from bloodcell.store import Store
from bloodcell.values import Frozen, Name, Sha256

SourcesFrom = Literal["", "sources.csv", "known set", "image matching"]


class Duplicate(Frozen):
    """A file that was dropped because its bytes equal another's."""

    dropped: str
    kept: str


class DatasetInfo(Frozen):
    """The object dataset.json: what a dataset version is.

    `version` is the hash of the manifest's rows.
    """

    name: Name
    version: str
    origin: str = Field(description="File or folder it was read from.")
    synthetic: bool = Field(description="Whether the images are drawn by a program rather than photographed.")
    labels: tuple[str, ...] = Field(description="Classes, in alphabetical order; a label's index is its number.")
    images: int
    sources: int = Field(description="Source cells; equal to `images` where they are not known.")
    sources_known: bool
    sources_from: SourcesFrom = Field("", description="How the source cells are known; empty where they are not.")
    declared: dict[str, dict[str, int]] = Field(description="Images by declared split and class.")
    duplicates: tuple[Duplicate, ...]
    skipped: tuple[str, ...] = Field(description="Files that are no images, or were left out on request.")
    shards: dict[str, Sha256] = Field(description="SHA-256 by shard file, in order of shard number.")
    manifest_sha256: Sha256
    created: datetime


def read_info(store: Store, dataset: str) -> DatasetInfo:
    """The description of a dataset.

    Args:
        store: Where it lies.
        dataset: `name` for the latest version, `name@version` for that one.

    Raises:
        ObjectNotFoundError: The store has no such dataset.
    """
    name, _, version = dataset.partition("@")
    try:
        version = version or artifacts.read_model(store, artifacts.latest_dataset(name), LatestVersion).version
        return artifacts.read_model(store, artifacts.dataset(name, version, "dataset.json"), DatasetInfo)
    except ObjectNotFoundError as error:
        names = dataset_names(store)
        push = f"correct the name, or add it with `bloodcell data push --name {name} <archive or folder>`"
        add = "make it with `bloodcell data synthesize`" if name == "synthetic" else push
        raise ObjectNotFoundError(
            f"dataset is {dataset!r}; {store.url} holds {', '.join(names) or 'none'}",
            remedy=f"leave @{version} out for the latest version" if "@" in dataset and name in names else add,
        ) from error


def dataset_names(store: Store) -> list[str]:
    """Names of the datasets that have a published version, in alphabetical order."""
    names = (name.split("/") for name in store.list("datasets/"))
    return sorted(parts[1] for parts in names if len(parts) == 3 and parts[2] == "latest.json")


def read_checked(store: Store, info: DatasetInfo, file: str, sha256: str) -> bytes:
    """The bytes of an object of a dataset version.

    Raises:
        CorruptObjectError: They are not those that dataset.json records.
    """
    name = artifacts.dataset(info.name, info.version, file)
    data = store.read(name)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CorruptObjectError(
            f"{name} in {store.url} does not have the SHA-256 {sha256}",
            remedy="delete that version's folder and push the dataset again",
        )
    return data


def publish(store: Store, info: DatasetInfo, manifest: bytes) -> None:
    """Make a version visible whose shards are already in the store."""
    store.write(artifacts.dataset(info.name, info.version, "manifest.parquet"), manifest)
    artifacts.write_model(store, artifacts.dataset(info.name, info.version, "dataset.json"), info)
    point_latest(store, info)


def point_latest(store: Store, info: DatasetInfo) -> None:
    """Make a version that is in the store the one its name alone means."""
    artifacts.write_model(store, artifacts.latest_dataset(info.name), LatestVersion(version=info.version))
