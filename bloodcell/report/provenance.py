"""Where the figures come from: what a reader needs to repeat the run, as names and values."""

from collections.abc import Iterator, Mapping, Sequence

from bloodcell.artifacts import SPLITS, GridRun
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.formatting import counted, listed, noun, setting_text
from bloodcell.report.rows import FinishedRow, Row, finished, varied_fields

Facts = tuple[tuple[str, str], ...]
"""Names and values."""


def shared_settings(rows: Sequence[Row]) -> tuple[str, ...]:
    """The settings in which the rows agree: `dropout 0.5`."""
    varied = {"weights_sha256", *varied_fields(rows)}
    config = rows[0].config
    return tuple(
        f"{noun(field)} {setting_text(config, field)}" for field in ExperimentConfig.model_fields if field not in varied
    )


def facts(run: GridRun, info: DatasetInfo, rows: Sequence[Row]) -> Facts:
    """The run, the dataset, the split, the code and the machine."""
    return (
        ("grid", run.grid.name),
        ("run", run.run_id),
        ("command", run.command or "not recorded"),
        ("started", f"{run.started:%Y-%m-%d %H:%M:%S %Z}".strip()),
        ("finished", f"{run.finished:%Y-%m-%d %H:%M:%S %Z}".strip()),
        *_dataset(info),
        *_splits(rows, info),
        ("code version", run.code_version),
        *_environment(finished(rows)),
    )


def _dataset(info: DatasetInfo) -> Iterator[tuple[str, str]]:
    yield "dataset", f"{info.name}, version {info.version}"
    yield "origin", info.origin
    yield "images are", "synthetic: drawn by a program" if info.synthetic else "as read from the origin"
    sources = counted(info.sources, "source cell") if info.sources_known else "source cells unknown"
    yield "size", f"{counted(info.images, 'image')}, {sources}"
    yield "dropped", f"{counted(len(info.duplicates), 'duplicate')}, {counted(len(info.skipped), 'other file')}"
    for split, classes in info.declared.items():
        counts = listed([f"{label} {count:,}" for label, count in classes.items()])
        yield f"declared {split or 'no split'}", f"{sum(classes.values()):,}: {counts}"


def _splits(rows: Sequence[Row], info: DatasetInfo) -> Iterator[tuple[str, str]]:
    for protocol in dict.fromkeys(row.config.split for row in rows):
        yield f"split {protocol}", split_text(protocol, info)
    done = finished(rows)
    for split in SPLITS:
        if any(split in row.result.metrics for row in done):
            yield from _agreed(f"images in {split}", {row.name: _split_size(row, split) for row in done})


def split_text(protocol: str, info: DatasetInfo) -> str:
    """What a split protocol does with the dataset."""
    if protocol == "pooled":
        return "all images pooled, then split at random by image"
    declared = "the test images are those declared TEST"
    at_random = "the other images are split at random, by image, into train and validation, which may share cells"
    if protocol == "folder":
        return f"{declared}; {at_random}"
    if info.sources_known:
        test = declared if info.declared.get("TEST") else "the test images are those of source cells chosen at random"
        return f"{test}; train and validation share no source cell"
    test = declared if info.declared.get("TEST") else "the test images are chosen at random"
    return f"{test}; source cells are unknown, so {at_random}"


def _split_size(row: FinishedRow, split: str) -> str:
    metrics = row.result.metrics.get(split)
    if metrics is None:
        return "none"
    known = f" of {counted(metrics.sources, 'source cell')}" if row.result.sources_known else ""
    return f"{metrics.images:,}{known}"


def _environment(done: Sequence[FinishedRow]) -> Iterator[tuple[str, str]]:
    for key in ("device", "processor", "threads", "platform", "python", "git_commit"):
        yield from _agreed(noun(key), {row.name: row.result.environment.get(key) for row in done})
    packages = dict.fromkeys(name for row in done for name in _packages(row))
    for name in packages:
        yield from _agreed(name, {row.name: _packages(row).get(name) for row in done})


def _packages(row: FinishedRow) -> dict[str, object]:
    packages = row.result.environment.get("packages")
    return packages if isinstance(packages, dict) else {}


def _agreed(name: str, by_row: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """One value where the rows agree, each with its rows where they do not; nothing where none is recorded."""
    rows_by_text: dict[str, list[str]] = {}
    for row, value in by_row.items():
        rows_by_text.setdefault(str(value or "not recorded"), []).append(row)
    match list(rows_by_text):
        case [] | ["not recorded"]:
            return
        case [text]:
            yield name, text
        case texts:
            yield name, "; ".join(f"{text} ({listed(rows_by_text[text])})" for text in texts)
