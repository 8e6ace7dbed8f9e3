"""How much an experiment has to train, known before anything is."""

from dataclasses import dataclass

from bloodcell.costs import multiply_adds
from bloodcell.data.dataset import DatasetInfo
from bloodcell.shapes import ModelShape
from tasks.plan import PlannedRun
from tasks.training_images import training_images


@dataclass(frozen=True)
class Job:
    """An experiment that is to be trained.

    Attributes:
        key: The experiment.
        shape: Its model's.
        images: Images it trains on, those of all epochs it has before it together; fewer where it stops early.
        cost: Multiply-adds an image.
    """

    key: str
    shape: ModelShape
    images: float
    cost: float

    @classmethod
    def of(cls, run: PlannedRun, info: DatasetInfo, over: int = 0) -> "Job":
        """That of a planned run on the dataset, which goes on after so many epochs."""
        config = run.spec.config
        images = (config.epochs - over) * training_images(config, info)
        return cls(run.spec.key, ModelShape.of(config), images, multiply_adds(config))
