"""Prefect's logs without credentials, tracebacks of libraries included."""

import logging

from prefect.logging.handlers import APILogHandler, PrefectConsoleHandler

from bloodcell.redaction import redacted

_FORMATTER = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Lets every record pass, its message and its traceback redacted."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record, for this handler and those after it."""
        record.msg, record.args = redacted(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _FORMATTER.formatException(record.exc_info)
        if record.exc_text:  # what a formatter takes instead of the exception
            record.exc_text = redacted(record.exc_text)
        return True


_FILTER = RedactingFilter()


def redact_logs() -> None:
    """Redact from now on what Prefect logs, on its server and on the console; nothing happens where it does already."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for handler in {handler for logger in (logging.root, *loggers) for handler in logger.handlers}:
        if isinstance(handler, APILogHandler | PrefectConsoleHandler):
            handler.addFilter(_FILTER)
