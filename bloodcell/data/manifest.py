"""The manifest of a dataset version: one row an image."""

import hashlib
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bloodcell import artifacts
from bloodcell.data.dataset import DatasetInfo, read_checked
from bloodcell.errors import CorruptObjectError
from bloodcell.printable import printable
from bloodcell.store import Store

MANIFEST = pa.schema(
    [
        ("path", pa.string()),  # in the archive, below the folders that hold the whole set
        ("label", pa.string()),
        ("sha256", pa.string()),  # of the original bytes
        ("width", pa.int32()),  # pixels
        ("height", pa.int32()),  # pixels
        ("declared", pa.string()),  # TRAIN, TEST, TEST_SIMPLE, or empty where the archive declares no split
        ("source", pa.string()),  # the photographed cell; the image's own SHA-256 where unknown
        ("shard", pa.int32()),  # number of the shard that holds the bytes
        ("position", pa.int32()),  # record within that shard, from 0
    ]
)
"""Columns of manifest.parquet. Rows are sorted by SHA-256, so that the order says nothing about the archive's."""


def read_manifest(store: Store, info: DatasetInfo) -> pd.DataFrame:
    """The manifest: one row an image, columns as in `MANIFEST`.

    Raises:
        CorruptObjectError: Its bytes are not those that dataset.json records, or do not say what it says.
    """
    data = read_checked(store, info, "manifest.parquet", info.manifest_sha256)
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows != info.images:  # before they take memory
            raise _contradicts(store, info, f"has {file.metadata.num_rows:,} rows for {info.images:,} images")
        if not file.schema_arrow.equals(MANIFEST):
            raise _contradicts(store, info, f"has other columns than {', '.join(MANIFEST.names)}, or of other types")
        # What pandas noted beside the table may be damaged too, and says nothing that the columns do not.
        manifest: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _contradicts(store, info, f"is no Parquet file: {printable(str(error))}") from error
    _check_manifest(store, info, manifest)
    return manifest


def _check_manifest(store: Store, info: DatasetInfo, manifest: pd.DataFrame) -> None:
    """Check what would otherwise fail deep in a training, or not at all."""
    if manifest.isna().any(axis=None):
        raise _contradicts(store, info, "leaves cells empty")
    if tuple(sorted(manifest["label"].unique())) != info.labels:
        raise _contradicts(store, info, f"has other classes than {', '.join(info.labels)}")
    if set(manifest["shard"].unique()) != set(range(len(info.shards))):
        raise _contradicts(store, info, f"names other shards than the {len(info.shards):,} there are")
    if manifest.duplicated(["shard", "position"]).any():
        raise _contradicts(store, info, "gives two images one place in a shard")


def _contradicts(store: Store, info: DatasetInfo, problem: str) -> CorruptObjectError:
    name = artifacts.dataset(info.name, info.version, "manifest.parquet")
    return CorruptObjectError(
        f"{name} in {store.url} {problem}; dataset.json describes another manifest",
        remedy="delete that version's folder and push the dataset again",
    )


def manifest_bytes(manifest: pd.DataFrame) -> bytes:
    """The manifest as Parquet."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(manifest, schema=MANIFEST, preserve_index=False), buffer)
    return buffer.getvalue()


def manifest_version(manifest: pd.DataFrame) -> str:
    """Hash of what the manifest says, whatever the Parquet library writes around it."""
    text = manifest.to_csv(index=False, columns=MANIFEST.names, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()[:16]
