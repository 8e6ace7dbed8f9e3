"""Where the figures come from: what a reader needs to repeat the run, as names and values."""

from collections.abc import Iterator, Mapping, Sequence

from bloodcell.artifacts import SPLITS, ExperimentResult, GridRun
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.formatting import counted, listed, noun, runs_text, setting_text
from bloodcell.report.rows import FinishedRow, Row, finished, varied_fields

Facts = tuple[tuple[str, str], ...]
"""Names and values."""


def shared_settings(rows: Sequence[Row]) -> tuple[str, ...]:
    """The settings in which the rows agree: `dropout 0.5`."""
    varied = {"weights_sha256", "seed", *varied_fields(rows)}
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
        ("seeds", runs_text(sorted({outcome.config.seed for outcome in run.rows}))),
        ("started", f"{run.started:%Y-%m-%d %H:%M:%S %Z}".strip()),
        ("finished", f"{run.finished:%Y-%m-%d %H:%M:%S %Z}".strip()),
        *_dataset(info),
        *_splits(rows, info),
        ("code version", run.code_version),
        *_environment(finished(rows)),
    )


def trainings(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """Of every training the row, the seed, the key, what became of it in this run, and when its result was made."""
    made = {result.key: result.finished for row in finished(rows) for result in row.results}
    return tuple(
        (
            row.name,
            str(outcome.config.seed),
            outcome.key,
            outcome.status,
            f"{made[outcome.key]:%Y-%m-%d %H:%M %Z}".strip() if outcome.key in made else "",
        )
        for row in rows
        for outcome in row.outcomes
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
            yield from _agreed(f"images in {split}", {run: _split_size(result, split) for run, result in _runs(done)})


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


def _split_size(result: ExperimentResult, split: str) -> str:
    metrics = result.metrics.get(split)
    if metrics is None:
        return "none"
    known = f" of {counted(metrics.sources, 'source cell')}" if result.sources_known else ""
    return f"{metrics.images:,}{known}"


def _environment(done: Sequence[FinishedRow]) -> Iterator[tuple[str, str]]:
    for key in ("device", "processor", "threads", "platform", "python", "git_commit"):
        yield from _agreed(noun(key), {run: result.environment.get(key) for run, result in _runs(done)})
    packages = dict.fromkeys(name for _, result in _runs(done) for name in _packages(result))
    for name in packages:
        yield from _agreed(name, {run: _packages(result).get(name) for run, result in _runs(done)})


def _runs(done: Sequence[FinishedRow]) -> Iterator[tuple[str, ExperimentResult]]:
    """The trainings with their names: the row's, and the seed where it has several."""
    for row in done:
        for seed, result in zip(row.seeds, row.results, strict=True):
            yield row.name if len(row.results) == 1 else f"{row.name} seed {seed}", result


def _packages(result: ExperimentResult) -> dict[str, object]:
    packages = result.environment.get("packages")
    return packages if isinstance(packages, dict) else {}


def _agreed(name: str, by_run: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """One value where the trainings agree, each with its trainings where not; nothing where none is recorded."""
    runs_by_text: dict[str, list[str]] = {}
    for run, value in by_run.items():
        runs_by_text.setdefault(str(value or "not recorded"), []).append(run)
    match list(runs_by_text):
        case [] | ["not recorded"]:
            return
        case [text]:
            yield name, text
        case texts:
            yield name, "; ".join(f"{text} ({listed(runs_by_text[text])})" for text in texts)
