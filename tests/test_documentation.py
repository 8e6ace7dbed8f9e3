"""Links of the documentation lead somewhere, and the settings it names exist."""

import re
from pathlib import Path

import pytest

from bloodcell.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
LINK = re.compile(r"\]\((?!https?://|data:)([^)\s#]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub turns them into ids."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_links_lead_somewhere(page):
    for path, anchor in LINK.findall(page.read_text()):
        target = (page.parent / path.replace("\\", "")).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_settings_it_names_exist(page):
    named = set(re.findall(r"\bBLOODCELL_([A-Z][A-Z_]*[A-Z])\b", page.read_text()))
    others = {"TEST_IMAGES", "GIT_COMMIT"}  # of the tests, of the image
    assert {name.lower() for name in named - others} <= set(Settings.model_fields)
