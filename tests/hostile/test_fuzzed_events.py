import json
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bloodcell.events import Done, Epoch, Failure, Step, Window, parse
from bloodcell.printable import printable_lines
from tasks.experiment import line_of
from tasks.runners.base import Transcript, error_of
from tests.hostile.fuzzing import changed, quick, values

EVENT = (
    b'{"event":"epoch","epoch":1,"epochs":3,"loss":0.5,"accuracy":0.5,"val_loss":0.5,"val_accuracy":0.5,"seconds":1.0}'
)
kinds = st.sampled_from(["step", "epoch", "window", "done", "error"])
fields = sorted({field for kind in (Step, Epoch, Window, Done, Failure) for field in kind.model_fields} - {"event"})
events = st.fixed_dictionaries({"event": kinds | values}, optional=dict.fromkeys(fields, values))
lines = st.one_of(
    changed(EVENT).map(lambda data: data.decode(errors="replace")),
    events.map(lambda fields: json.dumps(fields, separators=(",", ":"), default=str)),
    st.text(st.characters(codec=None)),
)


@settings(quick, max_examples=100)
@given(lines, st.integers(-64, 255))
def test_no_line_of_an_experiment_stops_the_runner_or_commands_the_terminal(line: str, code: int):
    shown: list[str] = []
    transcript = Transcript(lambda event: shown.append(line_of("basic", event)), shown.append)
    transcript.add(line)
    error = error_of(transcript.exit(code))
    for text in (*shown, str(error or "")):
        assert printable_lines(text) == text
        assert len(text) < 4200 + len(line)


@quick
@given(lines)
def test_an_event_is_what_was_sent_or_none(line: str):
    with suppress(ValidationError):
        event = parse(line)
        assert event is None or parse(event.model_dump_json()) == event or "nan" in repr(event)
