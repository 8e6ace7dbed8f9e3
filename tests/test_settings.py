import pytest

from bloodcell.errors import ConfigError
from bloodcell.settings import load_settings


@pytest.mark.parametrize(("size", "count"), [("10", 10), ("3b", 3), ("2k", 2048), ("1m", 2**20), ("20g", 20 * 2**30)])
def test_the_cache_limit_is_a_size_as_docker_writes_it(monkeypatch, size, count):
    monkeypatch.setenv("BLOODCELL_CACHE_LIMIT", size)
    assert load_settings().cache_limit_bytes == count


def test_another_size_is_refused_by_the_name_of_its_variable(monkeypatch):
    monkeypatch.setenv("BLOODCELL_CACHE_LIMIT", "20 GB")
    with pytest.raises(ConfigError, match="BLOODCELL_CACHE_LIMIT"):
        load_settings()
