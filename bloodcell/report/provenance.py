"""Where the figures come from: what a reader needs to repeat the run, as names and values."""

from collections.abc import Iterator, Sequence

from bloodcell.artifacts import SPLITS, ExperimentResult, GridRun
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.formatting import counted, listed, noun, runs_text, setting_text
from bloodcell.report.rows import FinishedRow, Row, finished, varied_fields

Facts = tuple[tuple[str, str], ...]
"""Names and values."""

_NAMED = 3
"""Rows or trainings that are named where they differ from others; of more it is told how many."""


def shared_settings(rows: Sequence[Row]) -> Facts:
    """The settings in which the rows agree, and their values."""
    varied = {"weights_sha256", "seed", *varied_fields(rows)}
    config = rows[0].config
    return tuple(
        (noun(field), setting_text(config, field)) for field in ExperimentConfig.model_fields if field not in varied
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
    if info.sources_known:
        overlapping = "; photographs that overlap count as one" if info.sources_from != "sources.csv" else ""
        yield "source cell", f"a photographed cell with all images made of it{overlapping}"
    yield "dropped", f"{counted(len(info.duplicates), 'duplicate')}, {counted(len(info.skipped), 'other file')}"
    for split, classes in info.declared.items():
        counts = listed([f"{label} {count:,}" for label, count in classes.items()])
        unused = "; no split uses them, as they lie behind TEST" if split == "TEST_SIMPLE" else ""
        yield f"declared {split or 'no split'}", f"{sum(classes.values()):,}: {counts}{unused}"


def _splits(rows: Sequence[Row], info: DatasetInfo) -> Iterator[tuple[str, str]]:
    for protocol in dict.fromkeys(row.config.split for row in rows):
        yield f"split {protocol}", split_text(protocol, info)
    done = finished(rows)
    for split in SPLITS:
        if any(split in row.result.metrics for row in done):
            yield f"images in {split}", _sizes(done, split)
    for protocol in dict.fromkeys(row.config.split for row in done):
        yield f"images left out by split {protocol}", _left_out(done, protocol, info)


def _sizes(done: Sequence[FinishedRow], split: str) -> str:
    """How many images and source cells a split has, from the fewest to the most over the seeds, by protocol."""
    having = [(row, result.metrics[split]) for row, result in _runs(done) if split in result.metrics]
    sizes = []
    for protocol in (protocols := dict.fromkeys(row.config.split for row, _ in having)):
        own = [(row, metrics) for row, metrics in having if row.config.split == protocol]
        text = _range([metrics.images for _, metrics in own])
        if all(row.result.sources_known for row, _ in own):
            text += f" of {_range([metrics.sources for _, metrics in own])} source cells"
        sizes.append(f"{text} (split {protocol})" if len(protocols) > 1 else text)
    lacking = [row.name for row in done if split not in row.metrics]
    return "; ".join([*sizes, *([f"none in {_some(lacking)}"] if lacking else [])])


def _left_out(done: Sequence[FinishedRow], protocol: str, info: DatasetInfo) -> str:
    """What of the dataset no split holds, and why."""
    result = next(row.result for row in done if row.config.split == protocol)
    left = info.images - sum(metrics.images for metrics in result.metrics.values())
    simple = sum(info.declared.get("TEST_SIMPLE", {}).values())
    reasons = [f"{simple:,} declared TEST_SIMPLE"] if simple else []
    if left > simple:
        reasons.append(f"{left - simple:,} whose cell is in the test too")
    return f"{left:,}: {listed(reasons)}" if reasons else f"{left:,}"


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


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


def _environment(done: Sequence[FinishedRow]) -> Iterator[tuple[str, str]]:
    for key in ("device", "processor", "threads", "oneDNN", "own_kernel", "platform", "python", "git_commit"):
        yield from _agreed(noun(key), [(row, result, result.environment.get(key)) for row, result in _runs(done)])
    packages = dict.fromkeys(name for _, result in _runs(done) for name in _packages(result))
    for name in packages:
        yield from _agreed(name, [(row, result, _packages(result).get(name)) for row, result in _runs(done)])


def _runs(done: Sequence[FinishedRow]) -> Iterator[tuple[FinishedRow, ExperimentResult]]:
    """The trainings, each with its row."""
    for row in done:
        for result in row.results:
            yield row, result


def _packages(result: ExperimentResult) -> dict[str, object]:
    packages = result.environment.get("packages")
    return packages if isinstance(packages, dict) else {}


def _agreed(name: str, values: Sequence[tuple[FinishedRow, ExperimentResult, object]]) -> Iterator[tuple[str, str]]:
    """One value where the trainings agree, each with its trainings where not; nothing where none is recorded."""
    groups: dict[str, list[tuple[FinishedRow, ExperimentResult]]] = {}
    for row, result, value in values:
        groups.setdefault(str(value or "not recorded"), []).append((row, result))
    if not set(groups) - {"not recorded"}:
        return
    if len(groups) == 1:
        yield name, next(iter(groups))
    else:
        yield name, "; ".join(f"{text} ({_whose(own)})" for text, own in groups.items())


def _whose(own: Sequence[tuple[FinishedRow, ExperimentResult]]) -> str:
    """Which trainings they are: by row and seed where they are few, else how many, with which seeds."""
    if not any(len(row.results) > 1 for row, _ in own):
        return _some([row.name for row, _ in own])
    if len(own) <= _NAMED:
        return listed([f"{row.name} seed {result.spec.config.seed}" for row, result in own])
    seeds = sorted({result.spec.config.seed for _, result in own})
    return f"{counted(len(own), 'training')}, {'seed' if len(seeds) == 1 else 'seeds'} {runs_text(seeds)}"


def _some(names: Sequence[str]) -> str:
    """The names, of many the first."""
    if len(names) <= _NAMED:
        return listed(names)
    return f"{', '.join(names[:_NAMED])} and {counted(len(names) - _NAMED, 'other row')}"
