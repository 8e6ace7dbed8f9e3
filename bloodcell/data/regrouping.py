"""`bloodcell data group`: a new version of a dataset, whose sources are found by matching its images."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median

import pandas as pd
from pydantic import Field

from bloodcell import artifacts
from bloodcell.data import tfrecord
from bloodcell.data.dataset import DatasetInfo, point_latest, publish, read_checked, read_info
from bloodcell.data.grouping import Groups, link
from bloodcell.data.grouping.linking import Bars
from bloodcell.data.manifest import manifest_bytes, manifest_version, read_manifest
from bloodcell.errors import DatasetError
from bloodcell.store import Store
from bloodcell.values import Frozen


class Disagreement(Frozen):
    """Two images that show the same thing under two labels: overlapping photographs, or a mistake."""

    first: str
    second: str
    labels: tuple[str, str]


class Grouping(Frozen):
    """What was found: the object groups.json beside a manifest whose sources come from matching."""

    groups: int = Field(description="Groups of two images and more.")
    alone: int = Field(description="Images that match no other.")
    sizes: tuple[int, float, int] = Field(description="Images of the smallest, the median and the largest group.")
    links: int = Field(description="Pairs of images that hold the groups together.")
    cells: dict[str, int] = Field(description="Groups and lone images by declared split.")
    labels: dict[str, dict[str, int]] = Field(
        description="The same by label, too: one with images of two labels counts with each."
    )
    disagreements: tuple[Disagreement, ...] = Field(description="Linked pairs whose labels differ.")
    mixed: tuple[str, ...] = Field(description="Sources with images of two labels.")
    spanning: tuple[str, ...] = Field(description="Sources with images in both TRAIN and TEST.")

    def lines(self) -> list[str]:
        """What was found, as `data group` prints it."""
        smallest, middle, largest = self.sizes
        lines = [f"{self.groups:,} groups of {smallest:,} to {largest:,} images, {middle:g} in the median"]
        lines.append(f"{self.alone:,} images that match no other")
        for declared, cells in self.cells.items():
            counts = ", ".join(f"{label} {count}" for label, count in self.labels[declared].items())
            lines.append(f"  {declared or 'all'}: {cells:,} cells ({counts})")
        lines.append(f"groups with images in both TRAIN and TEST: {len(self.spanning):,}")
        lines.append(f"groups with images of two labels, counted above with each: {len(self.mixed):,}")
        by_labels: dict[tuple[str, ...], list[Disagreement]] = {}
        for pair in self.disagreements:
            by_labels.setdefault(tuple(sorted(pair.labels)), []).append(pair)
        for (one, other), pairs in by_labels.items():
            lines.append(f"  {one} and {other}: {len(pairs):,} pairs, as {pairs[0].first} and {pairs[0].second}")
        return lines


def group(store: Store, dataset: str, bars: Bars) -> tuple[DatasetInfo, Grouping]:
    """Find the source cell of every image of a dataset, and publish a version that names it.

    Args:
        store: Where the dataset is, and where the new version goes.
        dataset: `name` for the latest version, `name@version` for that one.
        bars: For progress.

    Returns:
        The new version, and what was found.

    Raises:
        ObjectNotFoundError: The store has no such dataset.
        DatasetError: Its sources were given by hand.
        CorruptObjectError: A shard's bytes are not those that the dataset records.
        ImageError: An image cannot be decoded.
    """
    before = read_info(store, dataset)
    if before.sources_from == "sources.csv":
        raise DatasetError(
            f"{before.name}@{before.version} has its sources from sources.csv",
            remedy="push it without that file under another name, and group that",
        )
    # Shards hold the images in the order of the manifest.
    manifest = read_manifest(store, before).sort_values(["shard", "position"], ignore_index=True)
    found = link(_images(store, before), len(manifest), bars)
    manifest = manifest.assign(source=sources(manifest, found))
    info = before.model_copy(
        update={
            "version": manifest_version(manifest),
            "sources": manifest["source"].nunique(),
            "sources_known": True,
            "sources_from": "image matching",
            "manifest_sha256": hashlib.sha256(manifest_bytes(manifest)).hexdigest(),
            "created": datetime.now(UTC),
        }
    )
    summary = summarize(manifest, found)
    # A set that is known ships without it.
    artifacts.create_model(store, artifacts.dataset(info.name, info.version, "groups.json"), summary)
    if store.exists(artifacts.dataset(info.name, info.version, "dataset.json")):
        point_latest(store, info)
        return read_info(store, f"{info.name}@{info.version}"), summary
    for shard in info.shards:
        data = store.read(artifacts.dataset(before.name, before.version, shard))
        store.write(artifacts.dataset(info.name, info.version, shard), data)
    publish(store, info, manifest_bytes(manifest))
    return info, summary


def sources(manifest: pd.DataFrame, found: Groups) -> "pd.Series[str]":
    """A name for each image's group, that of a lone image being the same as of an image of unknown source.

    It is the lowest SHA-256 of the group's images, so that another image in another group renames nothing.
    """
    return manifest.groupby(found.members)["sha256"].transform("min")


def summarize(manifest: pd.DataFrame, found: Groups) -> Grouping:
    """What was found, of a manifest with the sources in it."""
    sizes = manifest["source"].value_counts()
    groups = sorted(sizes[sizes > 1])
    cells = manifest.groupby("declared")["source"].nunique()
    labels = manifest.groupby(["declared", "label"])["source"].nunique()
    label, path = manifest["label"], manifest["path"]
    tested = manifest[manifest["declared"].isin(["TRAIN", "TEST"])]
    return Grouping(
        groups=len(groups),
        alone=int((sizes == 1).sum()),
        sizes=(int(groups[0]), median(groups), int(groups[-1])) if groups else (0, 0.0, 0),
        links=len(found.links),
        cells=cells.to_dict(),
        labels={str(declared): rows.droplevel(0).to_dict() for declared, rows in labels.groupby(level=0)},
        disagreements=tuple(
            Disagreement(first=path[a], second=path[b], labels=(label[a], label[b]))
            for a, b in sorted((pair.first, pair.second) for pair in found.links)
            if label[a] != label[b]
        ),
        mixed=_with_two(manifest, "label"),
        spanning=_with_two(tested, "declared"),
    )


def _with_two(manifest: pd.DataFrame, column: str) -> tuple[str, ...]:
    distinct = manifest.groupby("source")[column].nunique()
    return tuple(sorted(distinct.index[distinct > 1]))


def _images(store: Store, info: DatasetInfo) -> Iterator[bytes]:
    for shard, digest in info.shards.items():
        yield from tfrecord.decode(read_checked(store, info, shard, digest))
