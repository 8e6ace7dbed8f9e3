import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.artifacts import ExperimentResult, ExperimentSpec, GridRun
from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.errors import ConfigError
from bloodcell.grids import load_grid
from bloodcell.values import validated
from flows.parameters import parse_assignment
from tests.hostile.fuzzing import changed, fields_of, only, quick, values


@pytest.mark.parametrize(
    "model", [ExperimentConfig, GridConfig, ExperimentSpec, DatasetInfo, ExperimentResult, GridRun]
)
@quick
@given(data=st.data())
def test_any_value_is_a_configuration_or_refused(model, data):
    with only(ConfigError):
        validated(model, data.draw(values | fields_of(model)), source="made up")


@quick
@given(
    base=fields_of(ExperimentConfig), rows=st.dictionaries(st.text(max_size=8), fields_of(ExperimentConfig), max_size=3)
)
def test_any_grid_is_made_or_refused(base, rows):
    with only(ConfigError):
        made = validated(GridConfig, {"name": "g", "base": base, "experiments": {"a": {}, **rows}}, source="made up")
        made.with_overrides(base).model_dump_json()


@quick
@given(
    axes=st.dictionaries(
        st.sampled_from(sorted(ExperimentConfig.model_fields)), st.lists(values, max_size=3), max_size=3
    )
)
def test_any_axes_are_made_or_refused(axes):
    with only(ConfigError):
        validated(GridConfig, {"name": "g", "axes": axes}, source="made up")


GRID = b"""name: g
base: &base {epochs: 3, learning_rate: 1e-5, early_stopping: {patience: 3}}
experiments:
  a: {}
  b: {<<: *base, dense_units: 16}
"""
yaml_like = st.text(st.sampled_from("[]{}:,-&*!|>%@#?'\"\n\t abc013.~<="), max_size=60)


@quick
@given(st.one_of(changed(GRID), yaml_like.map(str.encode), st.binary(max_size=60)))
def test_a_grid_file_is_read_or_refused(content: bytes):
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file, only(ConfigError):
        file.write(content)
        file.flush()
        load_grid(file.name)


@quick
@given(yaml_like | st.text())
def test_an_assignment_is_read_or_refused(text: str):
    with only(ConfigError):
        parse_assignment(f"epochs={text}")
