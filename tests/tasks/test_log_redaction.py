import logging
import sys

from prefect.logging.configuration import setup_logging
from prefect.logging.handlers import APILogHandler

from tasks.log_redaction import RedactingFilter, redact_logs

SECRET = "planted-in-a-log"


def test_message_arguments_and_traceback_are_redacted(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    try:
        try:
            raise ValueError(f"a library quotes {SECRET}")
        except ValueError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed: %r", (SECRET,), sys.exc_info())
    plain = logging.Formatter().format(record)
    assert plain.count(SECRET) >= 2
    record.exc_text = None
    assert RedactingFilter().filter(record)
    shown = logging.Formatter().format(record)
    assert "a library quotes …" in shown
    assert SECRET not in shown


def test_what_goes_to_the_server_is_redacted_once():
    setup_logging()
    handlers = tuple(logging.getLogger("prefect.flow_runs").handlers)
    assert any(isinstance(handler, APILogHandler) for handler in handlers)
    redact_logs()
    redact_logs()
    for handler in handlers:
        assert sum(isinstance(each, RedactingFilter) for each in handler.filters) == 1
