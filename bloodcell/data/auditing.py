"""Count the evaluation images that have a sibling in training: `bloodcell.data.leakage` says what that means."""

from collections.abc import Iterable
from contextlib import suppress

import pandas as pd

from bloodcell.artifacts import Leakage, LeakageAudit, SplitSettings
from bloodcell.config import ExperimentConfig
from bloodcell.data.leakage import Evaluation
from bloodcell.data.splits import assign
from bloodcell.errors import DatasetError


def audit(manifest: pd.DataFrame, config: ExperimentConfig, *, sources_known: bool) -> LeakageAudit:
    """Count the evaluation images of a split whose source cell trains.

    Args:
        manifest: One row an image, with the columns of `manifest.MANIFEST` and a unique index.
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
