"""Bytes changed and values made up: whatever comes of them, it is no other error than the project's own."""

from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bloodcell.errors import BloodcellError
from bloodcell.printable import printable_lines

quick = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def only(*errors: type[BloodcellError]):
    """Passes over these errors; each says something, and a remedy, and nothing that a terminal obeys."""
    try:
        yield
    except errors as error:
        refused = error
    else:
        return
    assert refused.problem
    assert refused.remedy
    assert printable_lines(str(refused)) == str(refused)


@st.composite
def changed(draw, original: bytes) -> bytes:
    """The bytes cut short, with some of them replaced, doubled or left out."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 16)))
        data[start:end] = draw(st.one_of(st.binary(max_size=16), st.just(bytes(data[start:end]) * 2), st.just(b"")))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary(max_size=4), st.dates()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


def fields_of(model) -> st.SearchStrategy:
    """A mapping with some of the model's fields, of any value."""
    return st.dictionaries(st.sampled_from(sorted(model.model_fields)) | st.text(max_size=8), values, max_size=6)
