"""The shape of a model: what decides how fast it trains. Importing it loads no TensorFlow."""

from typing import Self

from bloodcell.config import ExperimentConfig
from bloodcell.values import Frozen


class ModelShape(Frozen):
    """What experiments have in common that train equally fast; `ExperimentConfig` describes the fields.

    The head is not among them: beside a backbone it costs little.
    """

    backbone: str
    width: float
    side: int
    batch_size: int
    precision: str
    trainable: str | int

    @classmethod
    def of(cls, config: ExperimentConfig) -> Self:
        """That of an experiment."""
        return cls.model_validate(config, from_attributes=True)

    @property
    def config(self) -> ExperimentConfig:
        """An experiment of this shape, from random weights."""
        fields = self.model_dump(exclude={"side"}) | {"image_size": self.side, "weights": "none"}
        return ExperimentConfig.model_validate(fields)

    def __str__(self) -> str:
        parts = [f"{self.config.network} at {self.side} px", f"batch {self.batch_size}"]
        if self.precision != "float32":
            parts.append(self.precision)
        if self.trainable != "all":
            parts.append("head alone" if self.trainable == "head" else f"last {self.trainable} layers")
        return ", ".join(parts)
