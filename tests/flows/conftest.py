from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tasks import report_process
from tasks.report_process import ReportProcess


@pytest.fixture(scope="session", autouse=True)
def on_a_server(prefect_server: None) -> None:
    """Each flow here runs on one."""


@pytest.fixture(scope="session")
def reports() -> Iterator[ReportProcess]:
    """One process for the reports of all tests: that each flow has its own would take minutes of imports."""
    process = ReportProcess()
    yield process
    process.close()


@pytest.fixture(autouse=True)
def _shared_reports(reports: ReportProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(report_process, "started", lambda: nullcontext(reports))
    yield
    while report_process._ahead:  # of a command whose flow was not run
        report_process._ahead.pop().close()
