import pytest

from bloodcell.printable import printable_lines
from tests.hostile.case import outcome
from tests.hostile.cases import CASES
from tests.hostile.table import BEGIN, COMMAND, END, PAGE, page

ALL = [case for cases in CASES.values() for case in cases]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.what)
def test_it_ends_as_the_case_says(case):
    ended = outcome(case)
    assert type(ended.error) is (case.error or type(None)), ended
    assert case.says in ended.message
    assert printable_lines(ended.message) == ended.message
    assert len(ended.message) < 5000
    if ended.error:
        assert ended.error.problem
        assert ended.error.remedy


def test_no_two_cases_are_called_alike():
    assert len({case.what for case in ALL}) == len(ALL)


def test_the_page_says_what_the_cases_give_now():
    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    assert page(text) == text, f"docs/reliability.md is out of date; write its table anew with `{COMMAND}`"
