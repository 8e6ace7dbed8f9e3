"""A real report in a real browser. Playwright drives the machine's own Chromium and downloads none."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from ruamel.yaml import YAML

from bloodcell.data.ingest import push
from bloodcell.data.synthetic import synthesize
from bloodcell.store import LocalStore
from tests.integration.ui.browser import NoBrowserError, installed_chromium

RATES = {"basic": 1e-3, "low": 5e-4}


# For a module alone: while it runs there is an event loop in this thread, in which Prefect's calls would not work.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, without a window."""
    try:
        program = installed_chromium()
    except NoBrowserError as reason:
        pytest.skip(str(reason))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])  # which root needs
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(browser, tmp_path_factory) -> Path:
    """The report of a grid of three rows, of which one fails, on synthetic images whose cells are known."""
    folder = tmp_path_factory.mktemp("grid")
    store = LocalStore(folder / "store")
    synthesize(folder / "images", train_cells=6, test_cells=2, views=4)
    push(store, folder / "images", name="drawn")
    base = {
        "backbone": "MobileNet", "width": 0.25, "weights": "none", "image_size": 32, "batch_size": 16, "epochs": 1,
        "learning_rate": RATES["basic"],
    }  # fmt: skip
    rows = {name: {"learning_rate": rate} for name, rate in RATES.items()} | {"large": {"batch_size": 4096}}
    YAML().dump({"name": "read", "dataset": "drawn", "base": base, "experiments": rows}, folder / "read.yaml")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "BLOODCELL_"))}
    places = {"STORE": store.url, "CACHE": str(folder / "cache"), "THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "flows.grid", "--grid", str(folder / "read.yaml")],
        env=own | {f"BLOODCELL_{name}": value for name, value in places.items()}
        | {"PREFECT_HOME": str(folder / "prefect")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 78, ended.stdout + ended.stderr  # the row that fails
    (page,) = (folder / "store" / "grids" / "read").glob("*/report.html")
    return page


@pytest.fixture
def opened(browser, report) -> Iterator[Callable[..., Page]]:
    """Opens the report from disk with no network; in the end, what it asked for and complained of is judged."""
    complaints, requests, contexts = [], [], []

    def open_report(width: int = 1280, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(report.as_uri())
        return page

    open_report.complaints = complaints
    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url for url in requests if not url.startswith("data:image/")} == {report.as_uri()}
