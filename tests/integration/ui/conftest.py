from collections.abc import Iterator

import pytest
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.integration.orchestration import Prefect
from tests.integration.ui.browser import NoBrowserError, Page, chromium


@pytest.fixture
def on_server(prefect: Prefect) -> Iterator[Prefect]:
    """The Prefect server, which this process uses too."""
    with temporary_settings({PREFECT_API_URL: prefect.api}):
        yield prefect
        APILogHandler().flush()  # what is left would be sent when the server is gone


@pytest.fixture(scope="session")
def page(tmp_path_factory) -> Iterator[Page]:
    """A browser's page."""
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as page:
            yield page
    except NoBrowserError as reason:
        pytest.skip(str(reason))
