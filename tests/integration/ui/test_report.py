"""What a person sees of a grid run in the real UI, of which Prefect 3.8 has two."""

import hashlib
import io
import json

import pytest
from PIL import Image
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.report.diagnostics import ERRORS
from tasks.report import report_grid
from tests.report.conftest import Figures, build

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> [here](javascript:alert(1)) | `x`"

IMAGES = "[...document.querySelectorAll('img')].filter(image => image.src.startsWith('data:'))"


@pytest.fixture
def example(store, on_server, tmp_path):
    """A run of two rows with results and one without, reported."""
    grid = GridConfig(name="seen", experiments={"a": {}, "b": {"dense_units": 16}, "c": {"dropout": 0.1}})
    good = Figures({"train": 0.9, "validation": 0.8, "test": 0.75})
    example = build(grid, {"a": good, "b": good, "c": HOSTILE})
    photograph = io.BytesIO()
    Image.new("RGB", (640, 480), "purple").save(photograph, "JPEG")
    files = {ERRORS: hashlib.sha256(photograph.getvalue()).hexdigest()}
    for key, result in example.results.items():
        store.write(artifacts.experiment(key, ERRORS), photograph.getvalue())
        named = result.model_copy(update={"files": files})
        artifacts.write_model(store, artifacts.experiment(key, "result.json"), named)
    flow(lambda: report_grid(store, example.run, example.info, tmp_path), name="reporting")()
    return example


def address(prefect, ui: str, key: str) -> str:
    """The newest artifact's page."""
    with get_client(sync_client=True) as client:
        (artifact, *_) = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return f"{prefect.api.removesuffix('/api')}{ui}/artifacts/artifact/{artifact.id}"


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_reports_pictures_are_visible(on_server, page, store, example, ui):
    names = list(store.list(artifacts.grid_run("seen", example.run.run_id, "plots/")))
    assert sum(name.endswith(".jpg") for name in names) == 2
    pictures = [Image.open(io.BytesIO(store.read(name))) for name in names]
    page.open(address(on_server, ui, "report-seen"))
    # In one expression: a page may draw itself anew between two.
    shown = f"images.length == {len(pictures)} && images.every(image => image.naturalWidth && image.clientWidth > 400)"
    widths = page.wait(f"(images => {shown} && images.map(image => image.naturalWidth))({IMAGES})")
    assert sorted(widths) == sorted(picture.width for picture in pictures)
    assert page.wait(f"document.body.textContent.includes({json.dumps(HOSTILE)})")


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_a_reason_in_the_table_is_text(on_server, page, example, ui):
    page.open(address(on_server, ui, "results-seen"))
    cells = "[...document.querySelectorAll('table tbody td')].map(cell => cell.innerText).join()"
    shown = page.wait(f"(text => text.includes('75.00%') && text.includes('onerror') && text)({cells})")
    shown = shown.replace("\N{WORD JOINER}", "")
    assert HOSTILE.partition(" | ")[0] in shown
    assert page.evaluate("document.querySelectorAll('table img, table a').length") == 0
    assert page.evaluate("document.title") != "taken"
