import pickle
from collections.abc import Iterator

import pytest

from bloodcell import errors
from bloodcell.errors import BloodcellError


def tree(root: type[BloodcellError]) -> Iterator[type[BloodcellError]]:
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


@pytest.mark.parametrize("kind", list(tree(BloodcellError)))
def test_an_error_is_the_same_in_another_process(kind):
    error = kind("no such thing: s3://key:secret@bucket", remedy="look\nelsewhere")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.problem, again.remedy, str(again), again.exit_code) == (
        error.problem, error.remedy, str(error), error.exit_code
    )  # fmt: skip


def test_the_module_s_drawing_of_the_tree_names_every_class():
    assert {kind.__name__ for kind in tree(BloodcellError) if kind.__module__ == errors.__name__} == {
        word for word in errors.__doc__.split() if word.endswith("Error")
    }
