"""What an experiment and a grid are: frozen values that refuse unknown fields. No I/O happens here."""

import math
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import PurePosixPath
from textwrap import indent
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from bloodcell.backbones import BACKBONES, Backbone
from bloodcell.errors import ConfigError
from bloodcell.values import NAME_PATTERN, Frozen, Name, Sha256, explained, validated

WEIGHTS_PREFIX = "weights/"
"""Object names that start so are weights in the store; every other path is a file of this machine."""


LAST_SEED = 2**31 - 1

MOST_SEEDS = 1000
"""Trainings that a row may have."""

MOST_TRAININGS = 10_000
"""Trainings that a grid may have: axes multiply out faster than one thinks."""

CHOOSE_TEST = ("split", "test_fraction")
"""The settings that may choose the test images, beside the seed, which rows share."""


class EarlyStopping(Frozen):
    """Stop before `epochs` when a validation figure no longer improves."""

    monitor: Literal["val_loss", "val_accuracy"] = Field("val_loss", description="Figure that must improve.")
    patience: int = Field(3, ge=1, description="Epochs without improvement before training stops.")
    min_delta: float = Field(0.0, ge=0, description="Smallest change that counts as improvement, in the figure's unit.")
    restore_best: bool = Field(True, description="Whether the model of the best epoch is kept, not that of the last.")


class Augmentation(Frozen):
    """Random changes of each training image, drawn anew every epoch; evaluation images are never changed."""

    horizontal_flip: bool = Field(False, description="Mirror left and right with probability one half.")
    vertical_flip: bool = Field(
        False, description="Mirror top and bottom with probability one half, whatever becomes of left and right."
    )
    rotation: float = Field(0.0, ge=0, le=180, description="Largest rotation to either side, in degrees.")
    shift: float = Field(0.0, ge=0, le=0.5, description="Largest shift along each axis, as a fraction of the side.")

    @property
    def changes(self) -> bool:
        """Whether any of it is asked for."""
        return self.horizontal_flip or self.vertical_flip or self.rotation > 0 or self.shift > 0


class ExperimentConfig(Frozen):
    """Everything that decides what one training computes, and nothing that does not.

    Where things run (store, cache, device, threads) is `bloodcell.settings.Settings`.
    """

    backbone: Literal["MobileNet", "InceptionV3", "ResNet50", "Xception", "VGG16"] = Field(
        "InceptionV3", description="Network of keras.applications; a row of bloodcell.backbones.BACKBONES."
    )
    width: float = Field(
        1.0, gt=0, le=2, description="Width multiplier of the channels (Keras's alpha); MobileNet only."
    )
    weights: str = Field(
        "imagenet",
        min_length=1,
        max_length=1024,
        description="Start of the backbone: `imagenet` (Keras downloads it), `none` (random), an object of the store "
        "(`weights/<file>`), or a .weights.h5 file of this machine.",
    )
    weights_sha256: Sha256 | None = Field(None, description="SHA-256 the weights must have; computed where left out.")
    hidden_layers: int = Field(1, ge=0, le=16, description="Dense layers between Flatten and the softmax.")
    dense_units: int = Field(8, ge=1, le=65536, description="Units of each hidden layer.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Fraction of units dropped after each hidden layer.")
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = Field(
        "adam", description="Keras optimizer, with Keras's defaults but for the learning rate."
    )
    learning_rate: float = Field(1e-5, gt=0, le=1, description="Step size of the optimizer.")
    image_size: int | None = Field(
        None, ge=8, le=2048, description="Side of the square input, in pixels; the backbone's own size where left out."
    )
    batch_size: int = Field(32, ge=1, le=8192, description="Images a training step.")
    epochs: int = Field(10, ge=1, le=10000, description="Passes over the training images, at most.")
    early_stopping: EarlyStopping | None = Field(None, description="When to stop early; never where left out.")
    trainable: Literal["all", "head"] | Annotated[int, Field(ge=1)] = Field(
        "all", description="Layers that train: `all`, the `head` alone, or the head and this many last backbone layers."
    )
    augmentation: Augmentation | None = Field(
        None, description="Random changes of the training images; none by default."
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="Keras dtype policy: the type computed in; variables stay float32."
    )
    split: Literal["source", "folder", "pooled"] = Field(
        "source", description="Evaluation protocol: which images train, validate and test; see bloodcell.data.splits."
    )
    validation_fraction: float = Field(
        0.2, gt=0, lt=1, description="Share of the non-test sources (split `source`) or images held out for validation."
    )
    test_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share held out for the test where the dataset declares none, or `pooled` ignores it.",
    )
    seen_fraction: float = Field(
        0.1, gt=0, lt=1, description="Share of the training images that split `source` holds out to score seen cells."
    )
    seed: int = Field(
        0, ge=0, le=LAST_SEED, description="Seed of the split, initial head weights, dropout and image order."
    )

    @model_validator(mode="after")
    def _fits_backbone(self) -> Self:
        row = self.row
        if self.image_size is not None and self.image_size < row.minimum_size:
            raise ValueError(
                f"image_size is {self.image_size} px; {self.backbone} accepts {row.minimum_size} px or more"
            )
        if self.width != 1.0 and not row.has_width:
            raise ValueError(f"width is {self.width}; {self.backbone} has no width multiplier; leave width out")
        if self.weights == "imagenet" and self.width not in row.imagenet_widths:
            widths = ", ".join(map(str, row.imagenet_widths))
            raise ValueError(
                f"width is {self.width}; ImageNet weights of {self.backbone} exist for {widths}; "
                "others go with weights: none"
            )
        return self

    @model_validator(mode="after")
    def _names_weights(self) -> Self:
        if self.weights in ("imagenet", "none"):
            if self.weights_sha256 is not None:
                raise ValueError(
                    f"weights_sha256 goes with a weights file, not with weights: {self.weights}. Remove it"
                )
        elif not self.weights.endswith(".weights.h5"):
            raise ValueError(
                f"weights is {self.weights!r}; accepted are `imagenet`, `none`, an object `weights/<file>.weights.h5`, "
                "or the path of a .weights.h5 file as Model.save_weights writes it"
            )
        elif self.weights_in_store and len(PurePosixPath(self.weights).parts) != 2:
            raise ValueError(
                f"weights is {self.weights!r}; an object's name is `weights/<file>`, without further folders"
            )
        return self

    @property
    def weights_in_store(self) -> bool:
        """Whether `weights` names an object of the store."""
        return self.weights.startswith(WEIGHTS_PREFIX)

    @property
    def side(self) -> int:
        """Side of the input images in pixels, with the backbone's default applied."""
        return self.image_size or self.row.image_size

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.augmentation is not None and self.augmentation.changes

    @property
    def choice_of_test(self) -> tuple[object, ...]:
        """The values of `CHOOSE_TEST`: where they are equal, so are the test images of one dataset and seed."""
        return tuple(getattr(self, field) for field in CHOOSE_TEST)

    @property
    def row(self) -> Backbone:
        """This backbone's row of `BACKBONES`."""
        return BACKBONES[self.backbone]

    @property
    def network(self) -> str:
        """The backbone with its width where that is not 1, as in `MobileNet(0.5)`."""
        return self.backbone if self.width == 1.0 else f"{self.backbone}({self.width:g})"

    @property
    def architecture(self) -> str:
        """The seed study's notation: `InceptionV3 - F - D(8) - D(8)`."""
        return " - ".join([self.network, "F", *[f"D({self.dense_units})"] * self.hidden_layers])


class GridRow(Frozen):
    """One setting of a grid, or one training of it.

    Attributes:
        changed: The fields in which it differs from the grid's first row, with this row's values.
    """

    name: Name
    changed: dict[str, Any]
    config: ExperimentConfig


class GridConfig(Frozen):
    """A base configuration and how the rows differ from it: by named overrides, or by axes that multiply out."""

    name: Name = Field(description="Name of the grid; its reports lie under grids/<name>/ in the store.")
    description: str = Field("", description="What the grid asks, in a sentence; the report opens with it.")
    dataset: str = Field(
        "blood-cells",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(@[0-9a-f]{8,64})?$",
        description="Dataset in the store: `name` for its latest version, `name@version` for that one.",
    )
    base: dict[str, Any] = Field(default_factory=dict, description="Fields of ExperimentConfig that all rows share.")
    experiments: dict[Name, dict[str, Any]] | None = Field(
        None,
        description="Rows by name, each with the fields it changes; the first is what the others are compared with.",
    )
    axes: dict[str, list[Any]] | None = Field(
        None, description="Values by field; every combination is a row, the first values making the first row."
    )

    seeds: int = Field(
        1,
        ge=1,
        le=MOST_SEEDS,
        description="Trainings of each row, with consecutive seeds from the base's on; the row is their mean.",
    )

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if (self.experiments is None) == (self.axes is None):
            raise ValueError("a grid has either `experiments` (named overrides) or `axes` (values that multiply out)")
        if not (self.experiments or self.axes) or (self.axes and not all(self.axes.values())):
            raise ValueError("the grid has no rows; name at least one experiment, or at least one value an axis")
        rows = math.prod(map(len, self.axes.values())) if self.axes else len(self.experiments or {})
        if rows * self.seeds > MOST_TRAININGS:
            raise ValueError(
                f"the grid has {rows:,} rows, and seeds is {self.seeds:,}; accepted are up to "
                f"{MOST_TRAININGS:,} trainings. Remove values, or split it into several grids"
            )
        if any("seed" in fields for _, fields in self._overrides()):
            raise ValueError(
                "seed is set by a row; a seed is no setting to compare. Write `seeds: 3` for three trainings of each "
                "row, and the first seed into the base"
            )
        # A row that does not validate is an error of the grid.
        if (last := self.rows[0].config.seed + self.seeds - 1) > LAST_SEED:
            raise ValueError(f"{self.seeds} seeds from the base's on end at {last}; the last there is, is {LAST_SEED}")
        return self

    @property
    def rows(self) -> tuple[GridRow, ...]:
        """The rows in order, with the first seed; their configs all validate."""
        named = [(name, _config(name, self.base | fields)) for name, fields in self._overrides()]
        first = named[0][1]
        rows = tuple(GridRow(name=name, changed=_changed(first, config), config=config) for name, config in named)
        if twins := _repeated(rows):
            raise ValueError(f"rows {twins[0]!r} and {twins[1]!r} have the same configuration; remove one")
        return rows

    @property
    def runs(self) -> tuple[GridRow, ...]:
        """Every training: the rows with the first seed, then the rows with the next."""
        rows = self.rows
        return tuple(
            row.model_copy(update={"config": row.config.model_copy(update={"seed": row.config.seed + more})})
            for more in range(self.seeds)
            for row in rows
        )

    def run_name(self, row: str, seed: int) -> str:
        """What a training of a row is called: after the row, with its seed where there are several."""
        return row if self.seeds == 1 else f"{row} seed {seed}"

    def _overrides(self) -> Iterator[tuple[str, dict[str, Any]]]:
        if self.experiments is not None:
            yield from self.experiments.items()
            return
        axes = self.axes or {}
        for number, values in enumerate(product(*axes.values()), start=1):
            fields = dict(zip(axes, values, strict=True))
            yield _axes_name(fields, number), fields

    def with_overrides(self, fields: Mapping[str, Any]) -> "GridConfig":
        """This grid with `fields` set in the base.

        Args:
            fields: Fields of ExperimentConfig and their values. A row's own value wins over the base.

        Raises:
            ConfigError: A field is unknown, its value is not accepted, or every row sets the field itself.
        """
        rows = self.experiments.values() if self.experiments is not None else [self.axes or {}]
        for field in fields:
            if all(field in row for row in rows):
                raise ConfigError(
                    f"{field} cannot be overridden: every row of grid {self.name!r} sets it",
                    remedy="copy the grid's YAML file, change the rows there, and pass that file as --grid",
                )
        return validated(
            GridConfig, self.model_dump() | {"base": {**self.base, **fields}}, source=f"grid {self.name!r}"
        )


def _config(name: str, fields: dict[str, Any]) -> ExperimentConfig:
    try:
        return ExperimentConfig.model_validate(fields)
    except ValidationError as refused:
        raise ValueError(f"experiment {name!r}:\n{indent(explained(refused, ExperimentConfig), '  ')}") from refused


def _axes_name(fields: dict[str, Any], number: int) -> str:
    """The values of a row as its name, or its number where they do not make one."""
    name = "_".join(f"{field}-{value}" for field, value in fields.items())
    return name if re.fullmatch(NAME_PATTERN, name) else f"row-{number:03d}"


def _changed(first: ExperimentConfig, config: ExperimentConfig) -> dict[str, Any]:
    return {field: value for field, value in config if value != getattr(first, field)}


def _repeated(rows: tuple[GridRow, ...]) -> tuple[str, str] | None:
    """The names of the first two rows with one configuration."""
    seen: dict[str, str] = {}
    for row in rows:
        if (
            first := seen.setdefault(
                row.config.model_copy(update={"image_size": row.config.side}).model_dump_json(), row.name
            )
        ) != row.name:
            return first, row.name
    return None
