import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.events import Done, Epoch, Failure, Step, emit, parse

EVENTS = [
    Step(message="decoding"),
    Epoch(epoch=3, epochs=10, loss=0.5, accuracy=0.8, val_loss=0.6, val_accuracy=0.7, seconds=1.25),
    Done(message="done"),
    Failure(problem="a\nb", remedy="c"),
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_one_line_that_parses_back(event, capsys):
    emit(event)
    line = capsys.readouterr().out
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert parse(line) == event


@pytest.mark.parametrize("line", ["", "Epoch 1/3", "{", "{}", '{"event": "other"}', '{"event": "epoch"}', "[1]"])
def test_other_lines_are_log(line):
    assert parse(line) is None


def test_an_event_after_an_unfinished_line_is_found():
    assert parse("W0000 library: " + Step(message="m").model_dump_json()) == Step(message="m")


@given(st.text())
def test_no_line_breaks_the_parser(line):
    parse(line)
