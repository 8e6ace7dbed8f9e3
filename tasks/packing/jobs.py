"""How much an experiment has to train, known before anything is."""

from dataclasses import dataclass

from bloodcell.config import ExperimentConfig
from bloodcell.costs import multiply_adds
from bloodcell.data.dataset import DatasetInfo
from bloodcell.shapes import ModelShape
from tasks.plan import PlannedRun


@dataclass(frozen=True)
class Job:
    """An experiment that is to be trained.

    Attributes:
        key: The experiment.
        shape: Its model's.
        images: Images it trains on, those of all epochs together; fewer where it stops early.
        cost: Multiply-adds an image.
    """

    key: str
    shape: ModelShape
    images: float
    cost: float

    @classmethod
    def of(cls, run: PlannedRun, info: DatasetInfo) -> "Job":
        """That of a planned run on the dataset."""
        config = run.spec.config
        images = config.epochs * training_images(config, info)
        return cls(run.spec.key, ModelShape.of(config), images, multiply_adds(config))


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
