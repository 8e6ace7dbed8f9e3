import pytest


@pytest.fixture(scope="session", autouse=True)
def on_a_server(prefect_server: None) -> None:
    """Each flow here runs on one."""
