"""What is said of evaluation images that have a sibling in training: another image of the same source cell.

Their accuracy says what a model remembers of a cell, not how it does on new ones. Images of the split `seen` show cells
that trained by design, and are not counted. Siblings with equal bytes do not occur: `data push` keeps one of them.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal

from bloodcell.artifacts import Leakage, LeakageAudit
from bloodcell.errors import DatasetError

Evaluation = Literal["test", "validation"]

SIBLING = "a sibling (another image of the same source cell) in training"


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
