"""S3's and botocore's errors in the project's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError
from s3transfer import exceptions as s3transfer
from urllib3.exceptions import HTTPError

from bloodcell.errors import (
    BloodcellError,
    ObjectNotFoundError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
)
from bloodcell.store.s3_meanings import BUSY, CODES, EXCEPTIONS, EXPIRED, UNREACHABLE, VANISHED, Meaning

_OPENINGS: dict[type[BloodcellError], str] = {
    StoragePermissionError: "no permission for",
    StorageFullError: "no space left for",
}


@contextmanager
def s3_errors(url: str, name: str, endpoint: str, *, seen: bool = False) -> Iterator[None]:
    """Turn the errors of S3 and botocore into the project's.

    Args:
        url: The store's.
        name: The object, or the prefix of those that are listed.
        endpoint: The server's URL.
        seen: Whether the bucket is known to have been there.
    """
    try:
        yield
    except s3transfer.RetriesExceededError as error:
        raise _translation(error.last_exception, url, name, endpoint, seen=seen) from error
    except (
        botocore.BotoCoreError,
        botocore.ClientError,
        s3transfer.S3DownloadFailedError,
        s3transfer.S3ValidationError,
        HTTPError,
        ConnectionError,
        ResponseParserError,
        TimeoutError,
    ) as error:
        raise _translation(error, url, name, endpoint, seen=seen) from error


def _translation(error: BaseException, url: str, name: str, endpoint: str, *, seen: bool) -> BloodcellError:
    if isinstance(error, botocore.ClientError):
        label, meaning = code_of(error), _meaning_of_reply(error)
        if label == "NoSuchBucket" and seen:
            meaning = VANISHED
    else:
        label, meaning = type(error).__name__, _meaning_of_exception(error)
    if meaning.error is ObjectNotFoundError:
        return ObjectNotFoundError(f"{url} holds no {name}", remedy=meaning.remedy)
    opening = _OPENINGS.get(meaning.error, "cannot use")
    return meaning.error(f"{opening} {name} in {url} at {endpoint}: {meaning.reason} ({label})", remedy=meaning.remedy)


def code_of(error: botocore.ClientError) -> str:
    """The code of the server's reply; its HTTP status where it has none."""
    return error.response["Error"].get("Code") or str(status_of(error))


def status_of(error: botocore.ClientError) -> int:
    """The HTTP status of the server's reply, which is known even where the code was lost with the reply's body."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def is_expiry(error: BaseException | None) -> bool:
    """Whether the server says that temporary credentials are over."""
    return isinstance(error, botocore.ClientError) and CODES.get(code_of(error)) is EXPIRED


def _meaning_of_reply(error: botocore.ClientError) -> Meaning:
    code, status = code_of(error), status_of(error)
    if code not in CODES and (status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR):
        return BUSY
    return CODES.get(code) or Meaning(
        StorageError,
        error.response["Error"].get("Message") or "the server does not say why",
        "look the code up in the server's documentation",
    )


def _meaning_of_exception(error: BaseException) -> Meaning:
    if isinstance(error, botocore.SSLError) and "EOF occurred" in str(error):
        return UNREACHABLE  # a connection that broke, not one that cannot be made
    found = (meaning for kind, meaning in EXCEPTIONS.items() if isinstance(error, kind))
    return next(found, Meaning(StorageError, str(error), "correct the AWS_ variables and ~/.aws/config"))
