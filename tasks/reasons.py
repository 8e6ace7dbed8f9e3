"""Why an experiment is to be trained: what tells it from the trainings that the grid's reports name.

Pure functions over values. A reason is an ingredient of the key, as in `ExperimentSpec.key`, that is not as it was.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import ExperimentConfig
from bloodcell.formatting import reached, setting, setting_text, shortened, value_text
from bloodcell.holder import Holder
from tasks.precedents import Alike, Precedents

_VERSION_LENGTH = 8
"""Hex digits by which people tell two versions apart."""

_LONGEST_FAILURE = 60
"""Characters of why a training failed; the report has all of it."""


class Unfinished(NamedTuple):
    """What an experiment without a result left in the store.

    Attributes:
        holder: Who trains it, as far as the store tells.
        checkpoint: Epochs of its newest checkpoint that have ended, and steps of the next; None without one.
    """

    holder: Holder | None
    checkpoint: tuple[int, int] | None

    @property
    def goes_on(self) -> str:
        """Where it does; empty where that is the beginning."""
        return f"goes on {reached(*self.checkpoint)}" if self.checkpoint else ""


class _Nearest(NamedTuple):
    """How far trainings are from an experiment, by which the least is the nearest.

    Those that all failed are the measure only where there are no others, however few their differences. Then the fewest
    differences win, then those of its own row.
    """

    failed: bool
    differences: int
    another_row: bool


def reasons(row: str, spec: ExperimentSpec, precedents: Precedents, *, left: Unfinished | None) -> tuple[str, ...]:
    """Why an experiment without a result is to be trained: one reason, or several that stand together.

    Args:
        row: The name of its row.
        spec: The experiment.
        precedents: Of the grid.
        left: What it left in the store; None where that is nothing.
    """
    if its_own := _its_own_past(spec, precedents, left):
        return (its_own,)
    if not precedents.by_key:
        return ("new grid",)
    alike = precedents.alike(row, spec)
    if not alike:
        return ("new row",)

    def why(past: Alike) -> tuple[str, ...]:
        new_seed = () if spec.config.seed in past.seeds else ("new seed",)
        return (*new_seed, *differences(past.spec, spec))

    nearest = min(alike, key=lambda past: _Nearest(past.failed, len(why(past)), past.row != row))
    return why(nearest) or ("changed code: its keys are of another release",)


def _its_own_past(spec: ExperimentSpec, precedents: Precedents, left: Unfinished | None) -> str:
    """What became of the experiment itself; empty where nothing did yet."""
    holder, goes_on = (left.holder, left.goes_on) if left else (None, "")
    if holder:
        what = f"begun by process {holder.process} on {holder.host}, which may be training it now"
    elif spec.repeat:
        what = "forced"
    elif own := precedents.by_key.get(spec.key):
        what = f"failed before: {_short(own.failure)}" if own.status == "failed" else "its result is gone"
    else:
        what = "interrupted" if left else ""
    return f"{what}; {goes_on}" if goes_on else what


def differences(old: ExperimentSpec, new: ExperimentSpec) -> tuple[str, ...]:
    """In which fields, weights, data and code two experiments differ, the seed apart.

    >>> basic = ExperimentSpec(config=ExperimentConfig(), dataset="cells", dataset_version="0" * 16, code_version="a")
    >>> differences(basic, basic.model_copy(update={"config": ExperimentConfig(learning_rate=5e-5, seed=1)}))
    ('changed learning_rate 1e-5 -> 5e-5',)
    """
    return tuple(_differences(old, new))


def _differences(old: ExperimentSpec, new: ExperimentSpec) -> Iterator[str]:
    for field in ExperimentConfig.model_fields:
        if field not in ("seed", "weights", "weights_sha256"):
            yield from _changed(field, old.config, new.config)
    if _weights(old) != _weights(new):
        yield f"changed weights {_weights(old)[:_VERSION_LENGTH]} -> {_weights(new)[:_VERSION_LENGTH]}"
    if old.dataset_version != new.dataset_version:
        named = old.dataset != new.dataset
        yield f"changed data {_data(old, named=named)} -> {_data(new, named=named)}"
    if old.code_version != new.code_version:
        yield f"changed code {old.code_version[:_VERSION_LENGTH]} -> {new.code_version[:_VERSION_LENGTH]}"


def _changed(field: str, old: ExperimentConfig, new: ExperimentConfig) -> Iterator[str]:
    before, after = setting(old, field), setting(new, field)
    if isinstance(before, BaseModel) and isinstance(after, BaseModel):
        for part, value in before:
            if (other := getattr(after, part)) != value:
                yield f"changed {field}.{part} {value_text(value)} -> {value_text(other)}"
    elif before != after:
        yield f"changed {field} {setting_text(old, field)} -> {setting_text(new, field)}"


def _weights(spec: ExperimentSpec) -> str:
    """What the key knows of the weights: the hash of a file, or the word."""
    return spec.config.weights_sha256 or spec.config.weights


def _data(spec: ExperimentSpec, *, named: bool) -> str:
    version = spec.dataset_version[:_VERSION_LENGTH]
    return f"{spec.dataset}@{version}" if named else version


def _short(failure: str) -> str:
    return shortened(failure.partition(". Remedy:")[0].partition("\n")[0], _LONGEST_FAILURE)
