"""report.html as a reader has it: a file, opened from disk."""

import pytest
from PIL import Image

from tests.integration.report.conftest import RATES

NAMES = ["basic", "learning rate", "low", "batch size", "large"]  # of rows, and of the groups they are in
HEADINGS = "table.sortable th"
LINES = "[...document.querySelector('table.sortable').tBodies[0].rows].map(row => [...row.cells].map(c => c.innerText))"
IMAGES = "[...document.images].map(image => [image.naturalWidth, image.clientWidth])"


def column(page, name: str) -> list[str]:
    """What stands below a heading, from top to bottom."""
    names = [text.strip() for text in page.locator(HEADINGS).all_inner_texts()]
    return [line[names.index(name)].strip() for line in page.evaluate(LINES)]


def order(page) -> dict[str, str]:
    """The headings by which the table is sorted."""
    return {
        heading.inner_text().strip(): heading.get_attribute("aria-sort")
        for heading in page.locator(HEADINGS).all()
        if heading.get_attribute("aria-sort")
    }


def test_every_picture_is_shown(opened):
    pictures = opened().evaluate(IMAGES)
    assert len(pictures) == 1 + 5 * len(RATES)  # a row has curves, matrices, reliability, errors and Grad-CAM
    assert all(natural > 0 and shown > 400 for natural, shown in pictures)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(opened, width, scheme, tmp_path):
    page = opened(width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert max(shown for _, shown in page.evaluate(IMAGES)) <= width
    file = tmp_path / f"{width}-{scheme}.png"
    page.screenshot(path=file, full_page=True)
    with Image.open(file) as shot:
        assert shot.width == width
        brightness = shot.convert("L").getpixel((2, 2))
    assert brightness > 250 if scheme == "light" else brightness < 40


def test_a_click_sorts_another_turns_and_a_third_brings_the_groups_back(opened):
    page = opened()
    assert column(page, "Model") == NAMES
    press = page.get_by_role("button", name="Learning Rate").click
    press()
    assert (column(page, "Learning Rate"), order(page)) == (
        ["5e-4", "0.001", "0.001"], {"Learning Rate": "ascending"}
    )  # fmt: skip
    press()
    assert column(page, "Model") == ["basic", "large", "low"]
    assert order(page) == {"Learning Rate": "descending"}
    press()
    assert (column(page, "Model"), order(page)) == (NAMES, {})


def test_a_row_without_a_figure_is_last_in_either_direction(opened):
    page = opened()
    for turn in (sorted, lambda values: sorted(values, reverse=True)):
        page.get_by_role("button", name="Accuracy").click()
        *figures, last = column(page, "Accuracy")
        assert last.startswith("failed: ")
        accuracies = [float(figure.rstrip("%")) for figure in figures]
        assert accuracies == turn(accuracies)
    page.get_by_role("button", name="Learning Time (ms)").click()
    *times, none = column(page, "Learning Time (ms)")
    milliseconds = [int(time.replace(",", "")) for time in times]
    assert (milliseconds, none) == (sorted(milliseconds), "")


def test_the_keyboard_sorts_too(opened):
    page = opened()
    page.locator(".table").first.focus()  # the box that scrolls
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert column(page, "Model") == ["basic", "large", "low"]
    page.keyboard.press("Space")
    assert column(page, "Model") == ["low", "large", "basic"]
    assert order(page) == {"Model": "descending"}
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert order(page) == {"Hidden Layer": "ascending"}


def test_no_script_but_the_reports_own_runs(opened):
    page = opened()
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.taken = 1'}))"
    )
    assert page.evaluate("window.taken") is None
    complaint = opened.complaints.pop()
    assert "Content Security Policy" in complaint


def test_without_scripts_it_reads_as_well(opened):
    page = opened(java_script_enabled=False)
    rows = page.locator("table.sortable tbody tr").all_inner_texts()
    assert [row.split("\t")[0].strip() for row in rows] == NAMES
    assert page.locator("table.sortable button").count() == 0


def test_on_paper_it_is_black_on_white_and_no_table_scrolls(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    look = "[getComputedStyle(document.body).color, getComputedStyle(document.querySelector('.table')).overflowX]"
    assert page.evaluate(look) == ["rgb(0, 0, 0)", "visible"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
