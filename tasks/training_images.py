"""How many images an epoch trains on, known before any is looked at."""

from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo


def training_images(config: ExperimentConfig, info: DatasetInfo) -> float:
    """Images that train, by the shares that the configuration asks for; what `splits.assign` finds differs little."""
    declared = {name: sum(classes.values()) for name, classes in info.declared.items()}
    images = info.images - declared.get("TEST_SIMPLE", 0)
    if config.split != "pooled" and "TEST" in declared:
        rest: float = images - declared["TEST"]
    else:
        rest = images * (1 - config.test_fraction)
    held_out_too = config.seen_fraction if config.split == "source" else 0.0
    return rest * (1 - config.validation_fraction) * (1 - held_out_too)
