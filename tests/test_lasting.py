import gc

import pytest

from bloodcell.lasting import lasting


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_made_in_the_block_is_never_looked_at_again():
    with lasting():
        assert not gc.isenabled()
        made = [[]]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(found is made for found in gc.get_objects())


def test_an_import_that_fails_leaves_the_collector_as_it_was():
    with pytest.raises(ModuleNotFoundError), lasting():
        import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()
    gc.disable()
    with lasting():
        pass
    assert not gc.isenabled()
