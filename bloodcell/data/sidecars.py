"""The optional file `sources.csv`, which names the source cell of each image."""

import io

import pandas as pd

from bloodcell.data.layout import SOURCES_FILE
from bloodcell.errors import DatasetError


def parse_sources(data: bytes) -> dict[str, str]:
    """The source by image path, from the bytes of sources.csv: a header `path,source` and one line an image.

    Raises:
        DatasetError: It is no such table, leaves a cell empty, or gives an image two sources.
    """
    try:
        table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # covers pandas' ParserError and EmptyDataError, and text that is not UTF-8
        raise _refused(f"is no CSV table: {error}") from error
    if list(table.columns) != ["path", "source"]:
        raise _refused(f"has the columns {', '.join(map(repr, table.columns))}; accepted are path, source")
    table = table.drop_duplicates()
    for what, rows in {
        "has an empty cell at": table[(table == "").any(axis="columns")],
        "gives two sources for": table[table.duplicated("path", keep=False)],
    }.items():
        if len(rows):
            raise _refused(f"{what} {rows['path'].iloc[0]!r}")
    return dict(zip(table["path"], table["source"], strict=True))


def check_sources(manifest: pd.DataFrame) -> None:
    """Check what split `source` relies on: every image has a source, of one class, on one side of the test.

    Args:
        manifest: With the columns path, label, declared and source.

    Raises:
        DatasetError: An image has no source, or a source has two classes, or images in both TRAIN and TEST.
    """
    unnamed = sorted(manifest.loc[manifest["source"].isna(), "path"])
    if unnamed:
        raise _refused(f"names no source for {len(unnamed):,} of {len(manifest):,} images, first {unnamed[0]}")
    _check_one_value(manifest, "label", "has images of two classes")
    tested = manifest[manifest["declared"].isin(["TRAIN", "TEST"])]
    _check_one_value(tested, "declared", "has images in both TRAIN and TEST")


def _check_one_value(manifest: pd.DataFrame, column: str, problem: str) -> None:
    distinct = manifest.sort_values("path").drop_duplicates(["source", column])
    repeated = distinct[distinct.duplicated("source", keep=False)].sort_values(["source", "path"])
    if len(repeated):
        first, second = repeated["path"].iloc[:2]
        raise _refused(f"names a source, {repeated['source'].iloc[0]!r}, that {problem}: {first} and {second}")


def _refused(problem: str) -> DatasetError:
    return DatasetError(
        f"{SOURCES_FILE} {problem}", remedy=f"correct {SOURCES_FILE}, or remove it to make each image its own source"
    )
