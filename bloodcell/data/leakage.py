"""How many evaluation images have a sibling in training: another image of the same source cell.

Their accuracy says what a model remembers of a cell, not how it does on new ones. Images of the split `seen` show cells
that trained by design, and are not counted. Siblings with equal bytes do not occur: `data push` keeps one of them.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Literal

import pandas as pd

from bloodcell.artifacts import Leakage, LeakageAudit, SplitSettings
from bloodcell.config import ExperimentConfig
from bloodcell.data.splits import assign
from bloodcell.errors import DatasetError

Evaluation = Literal["test", "validation"]

SIBLING = "a sibling (another image of the same source cell) in training"


def audit(manifest: pd.DataFrame, config: ExperimentConfig, *, sources_known: bool) -> LeakageAudit:
    """Count the evaluation images of a split whose source cell trains.

    Args:
        manifest: One row an image, with the columns of `dataset.MANIFEST` and a unique index.
        config: Protocol, fractions and seed.
        sources_known: Whether the column source names the photographed cell.

    Raises:
        DatasetError: The dataset does not allow the split.
    """
    # A batch that is too large fails its row; the split is the same.
    assigned = assign(manifest, config.model_copy(update={"batch_size": 1}), sources_known=sources_known)
    trained = set(manifest.loc[assigned == "train", "source"])

    def leakage(split: Evaluation) -> Leakage:
        sources = manifest.loc[assigned == split, "source"]
        return Leakage(images=len(sources), leaked=int(sources.isin(trained).sum()) if sources_known else None)

    return LeakageAudit(settings=SplitSettings.of(config), validation=leakage("validation"), test=leakage("test"))


def audit_splits(
    manifest: pd.DataFrame, configs: Iterable[ExperimentConfig], *, sources_known: bool
) -> tuple[LeakageAudit, ...]:
    """Audit each distinct split of several configurations once; one that the dataset does not allow has no audit.

    Of a split that keeps source cells apart the first seed that it allows stands for all, and so it does where source
    cells are unknown: whether any image leaks does not depend on the seed there, and a grid of many nights has many.
    """
    # Read value by value, faster than of Arrow's strings. All nine columns would take half as much memory more.
    plain = manifest[["label", "declared", "source", "sha256"]].astype(object)
    found: dict[SplitSettings, LeakageAudit] = {}
    for settings, config in {SplitSettings.of(config): config for config in configs}.items():
        decisive = _decisive(settings, sources_known=sources_known)
        if decisive not in found:
            with suppress(DatasetError):  # its experiments fail by themselves, with the reason
                found[decisive] = audit(plain, config, sources_known=sources_known)
    return tuple(found.values())


def _decisive(settings: SplitSettings, *, sources_known: bool) -> SplitSettings:
    """Those of the settings on which it depends what leaks."""
    depends_on_seed = sources_known and settings.split != "source"
    return settings if depends_on_seed else settings.model_copy(update={"seed": 0})


def described(audits: Sequence[LeakageAudit], *evaluations: Evaluation) -> str:
    """What leaks, as a sentence without its full stop; empty where nothing is known to.

    Where a protocol leaks differently with several seeds or fractions, the least and the most are given.
    """
    named: list[str] = []
    counts: list[Leakage] = []
    for protocol in dict.fromkeys(audit.settings.split for audit in audits):
        own = [audit for audit in audits if audit.settings.split == protocol]
        found: dict[Evaluation, list[Leakage]] = {
            evaluation: [getattr(audit, evaluation) for audit in own] for evaluation in evaluations
        }
        leaking = {evaluation: leaks for evaluation, leaks in found.items() if any(leak.leaked for leak in leaks)}
        if leaking:
            images = " and ".join(f"{_extent(leaks)} {evaluation} images" for evaluation, leaks in leaking.items())
            named.append(f"{images} with split {protocol}")
            counts += chain(*leaking.values())
    if not named:
        return ""
    return f"{', and '.join(named)} {'has' if [leak.leaked for leak in counts] == [1] else 'have'} {SIBLING}"


def _extent(leaks: Iterable[Leakage]) -> str:
    counts = sorted({(leak.leaked or 0, leak.images) for leak in leaks})
    return " to ".join(f"{leaked:,} of {images:,}" for leaked, images in dict.fromkeys([counts[0], counts[-1]]))


def warning(audits: Sequence[LeakageAudit]) -> str:
    """What leaks of the test, or that it is unknown, for one who looks no further; empty where nothing does."""
    if any(audit.test.leaked is None for audit in audits):
        return f"Leakage: unknown how many test images have {SIBLING}, as source cells are not known."
    leaked = described(audits, "test")
    return f"Leakage: {leaked}." if leaked else ""


def objection(audits: Sequence[LeakageAudit], dataset: str) -> DatasetError | None:
    """What a strict run refuses: evaluation images with siblings in training, or that it is unknown how many have.

    Validation images count as test images do: they choose the epoch that early stopping keeps, and a report shows
    their figures.

    Args:
        audits: Of the splits of a grid.
        dataset: Name of the dataset.
    """
    if any(audit.test.leaked is None for audit in audits):
        return DatasetError(
            f"the source cells of {dataset} are not known, so neither is how many evaluation images have {SIBLING}; "
            "a strict run accepts none",
            remedy=f"find them with `bloodcell data group {dataset}`, and use the version that it publishes",
        )
    if leaked := described(audits, "test", "validation"):
        return DatasetError(f"{leaked}; a strict run accepts none", remedy="set split: source")
    return None
