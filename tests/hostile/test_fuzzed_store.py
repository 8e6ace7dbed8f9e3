import hashlib
import io
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell import artifacts
from bloodcell.data.dataset import DatasetInfo, read_info
from bloodcell.data.manifest import read_manifest
from bloodcell.errors import BloodcellError, CorruptObjectError
from bloodcell.store import LocalStore
from tests.hostile.fuzzing import changed, fields_of, only, quick
from tests.hostile.giving import pushed, zipped


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store that holds the good images as dataset `cells`, and what its dataset.json says."""
    folder = tmp_path_factory.mktemp("stored")
    info = pushed(folder, zipped(folder, {}))
    return LocalStore(folder / "store"), info


@quick
@given(data=st.data())
def test_a_manifest_is_read_or_refused(stored, data):
    store, info = stored
    name = artifacts.dataset(info.name, info.version, "manifest.parquet")
    original = store.read(name)
    content = data.draw(changed(original) | st.binary())
    store.write(name, content)
    try:
        with only(CorruptObjectError):
            read_manifest(store, info.model_copy(update={"manifest_sha256": hashlib.sha256(content).hexdigest()}))
    finally:
        store.write(name, original)


def test_what_pandas_notes_beside_a_manifest_is_not_read(stored):
    """`make fuzz` found that damage there ended in a KeyError."""
    store, info = stored
    name = artifacts.dataset(info.name, info.version, "manifest.parquet")
    original = store.read(name)
    table = pq.read_table(io.BytesIO(original)).replace_schema_metadata({"pandas": '{"columns": [{}]}'})
    pq.write_table(table, changed_file := io.BytesIO())
    content = changed_file.getvalue()
    store.write(name, content)
    try:
        found = read_manifest(store, info.model_copy(update={"manifest_sha256": hashlib.sha256(content).hexdigest()}))
    finally:
        store.write(name, original)
    pd.testing.assert_frame_equal(found, read_manifest(store, info))


@quick
@given(data=st.data())
def test_a_description_is_read_or_refused(stored, data):
    store, info = stored
    name = artifacts.dataset(info.name, info.version, "dataset.json")
    original = store.read(name)
    made_up = fields_of(DatasetInfo).map(lambda fields: json.dumps(json.loads(original) | fields, default=str).encode())
    store.write(name, data.draw(changed(original) | made_up))
    try:
        with only(BloodcellError):
            read_manifest(store, read_info(store, "cells"))
    finally:
        store.write(name, original)
