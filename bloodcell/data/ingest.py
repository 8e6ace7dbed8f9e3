"""From an archive of images to a published dataset version.

Two passes: the first decodes every image and keeps only its hash and size; the second, when the whole set
is known to be good, copies the original bytes into shards in the order of the manifest. Memory holds one shard.
"""

import hashlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from bloodcell import artifacts
from bloodcell.data import tfrecord
from bloodcell.data.archive import Archive, open_archive
from bloodcell.data.curation import build_manifest, check_classes, drop_duplicates
from bloodcell.data.dataset import DatasetInfo, Duplicate, SourcesFrom, point_latest, publish, read_info
from bloodcell.data.decoding import Progress, inspect_all, unreadable_error
from bloodcell.data.known_sources import known_sources
from bloodcell.data.layout import SOURCES_FILE, SYNTHETIC_FILE, ClassFolder, read_layout
from bloodcell.data.manifest import manifest_bytes, manifest_version
from bloodcell.data.sidecars import check_sources, parse_sources
from bloodcell.errors import ArchiveError, ConfigError, DatasetError
from bloodcell.store import Store
from bloodcell.values import Name


def push(
    store: Store,
    source: Path,
    *,
    name: str,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    storing: Progress | None = None,
) -> DatasetInfo:
    """Check an archive of images and publish it as a version of a dataset.

    A version that the store already holds is not written again; `latest.json` is pointed at it.

    Args:
        store: Where the dataset goes.
        source: A zip file or a folder.
        name: Name of the dataset in the store.
        skip_unreadable: Leave images out that cannot be decoded, instead of refusing the archive.
        progress: Called with the images checked so far and the images in all.
        storing: Called with the images stored so far and the images in all.

    Raises:
        ConfigError: The name is not accepted.
        ArchiveError: The archive cannot be read, or is not safe to read.
        ImageError: Images cannot be decoded, and are not to be skipped.
        DatasetError: The images do not make a dataset: none, one class, an empty class, one image under two classes.
    """
    check_name(name)
    with open_archive(source) as archive:
        layout = read_layout(archive.files, archive.folders)
        check_classes(Counter(image.folder for image in layout.images), layout.folders, origin=archive.origin)
        given = _read_sources(archive, layout.root)
        images, unreadable = inspect_all(archive, layout, progress)
        if unreadable and not skip_unreadable:
            raise unreadable_error(unreadable, len(layout.images))
        kept, duplicates = drop_duplicates(images)
        remaining = Counter(map(ClassFolder, kept["declared"], kept["label"]))
        check_classes(remaining, layout.folders, origin=archive.origin)
        known = known_sources(kept) if given is None else None
        manifest = build_manifest(kept, known if given is None else given)
        if given is not None:
            check_sources(manifest)
        info = _describe(
            manifest,
            name=name,
            origin=archive.origin,
            synthetic=layout.root + SYNTHETIC_FILE in archive.files,
            sources_from="sources.csv" if given is not None else "known set" if known else "",
            duplicates=duplicates,
            skipped=tuple(sorted([*layout.skipped, *unreadable])),
        )
        if store.exists(artifacts.dataset(name, info.version, "dataset.json")):
            return _republish(store, info)
        shards = _write_shards(store, info, archive, layout.root, manifest, progress=storing)
    info = info.model_copy(update={"shards": shards})
    publish(store, info, manifest_bytes(manifest))
    return info


def check_name(name: str) -> None:
    """Check that a dataset may be called so.

    Raises:
        ConfigError: It may not.
    """
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise ConfigError(
            f"dataset name is {name!r}; accepted are up to 63 letters, digits, `.`, `_` and `-`, "
            "the first a letter or digit",
            remedy="choose another name",
        ) from error


def _read_sources(archive: Archive, root: str) -> dict[str, str] | None:
    return parse_sources(archive.read(root + SOURCES_FILE)) if root + SOURCES_FILE in archive.files else None


def _describe(
    manifest: pd.DataFrame,
    *,
    name: str,
    origin: str,
    synthetic: bool,
    sources_from: SourcesFrom,
    duplicates: tuple[Duplicate, ...],
    skipped: tuple[str, ...],
) -> DatasetInfo:
    """What dataset.json says, but for the shards, which are not written yet."""
    by_declared = manifest.sort_values("label").groupby("declared")["label"]
    return DatasetInfo(
        name=name,
        version=manifest_version(manifest),
        origin=origin,
        synthetic=synthetic,
        labels=tuple(sorted(manifest["label"].unique())),
        images=len(manifest),
        sources=manifest["source"].nunique(),
        sources_known=bool(sources_from),
        sources_from=sources_from,
        declared={str(declared): dict(Counter(labels)) for declared, labels in by_declared},
        duplicates=duplicates,
        skipped=skipped,
        shards={},
        manifest_sha256=hashlib.sha256(manifest_bytes(manifest)).hexdigest(),
        created=datetime.now(UTC),
    )


def _republish(store: Store, info: DatasetInfo) -> DatasetInfo:
    """Make a version that the store holds already the latest one; the version itself stays as it is."""
    published = read_info(store, f"{info.name}@{info.version}")
    if published.synthetic != info.synthetic:
        raise DatasetError(
            f"{info.name} holds these images already as {'' if published.synthetic else 'not '}synthetic",
            remedy=f"add or remove {SYNTHETIC_FILE} to agree, or push under another name",
        )
    point_latest(store, published)
    return published


def _write_shards(
    store: Store,
    info: DatasetInfo,
    archive: Archive,
    root: str,
    manifest: pd.DataFrame,
    *,
    progress: Progress | None,
) -> dict[str, str]:
    """Write the images' original bytes; returns the SHA-256 of each shard by its file."""
    digests: dict[str, str] = {}
    stored = 0
    for number, rows in manifest.groupby("shard"):
        file = f"shards/{number:05}.tfrecord"
        images = zip(rows["path"], rows["sha256"], strict=True)
        shard = b"".join(tfrecord.encode(_read_again(archive, root + path, sha256)) for path, sha256 in images)
        store.write(artifacts.dataset(info.name, info.version, file), shard)
        digests[file] = hashlib.sha256(shard).hexdigest()
        stored += len(rows)
        if progress:
            progress(stored, len(manifest))
    return digests


def _read_again(archive: Archive, path: str, sha256: str) -> bytes:
    data = archive.read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArchiveError(
            f"{path} in {archive.origin} has changed since it was checked",
            remedy="push again when nothing writes there",
        )
    return data
