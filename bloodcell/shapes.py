"""The shape of a model: what decides how fast it trains. Importing it loads no TensorFlow."""

from typing import Self

from bloodcell.config import Augmentation, ExperimentConfig
from bloodcell.values import Frozen


class ModelShape(Frozen):
    """What experiments have in common that train equally fast; `ExperimentConfig` describes the fields.

    The head is not among them: beside a backbone it costs little. Of augmentation it is only whether there is any: the
    pixels move once, whatever is asked for (`bloodcell.augmentation`).
    """

    backbone: str
    width: float
    side: int
    batch_size: int
    precision: str
    trainable: str | int
    augmented: bool

    @classmethod
    def of(cls, config: ExperimentConfig) -> Self:
        """That of an experiment."""
        return cls.model_validate(config, from_attributes=True)

    @property
    def config(self) -> ExperimentConfig:
        """An experiment of this shape, from random weights, with all there is of augmentation if it has any."""
        fields = self.model_dump(exclude={"side", "augmented"}) | {"image_size": self.side, "weights": "none"}
        if self.augmented:
            fields["augmentation"] = Augmentation(horizontal_flip=True, vertical_flip=True, rotation=20, shift=0.1)
        return ExperimentConfig.model_validate(fields)

    def __str__(self) -> str:
        parts = [f"{self.config.network} at {self.side} px", f"batch {self.batch_size}"]
        if self.precision != "float32":
            parts.append(self.precision)
        if self.trainable != "all":
            parts.append("head alone" if self.trainable == "head" else f"last {self.trainable} layers")
        if self.augmented:
            parts.append("augmented")
        return ", ".join(parts)
