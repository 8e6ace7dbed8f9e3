"""Objects in a bucket of AWS S3, or of a server that speaks its protocol."""

import hashlib
import io
import itertools
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from botocore.exceptions import ClientError
from s3transfer.manager import TransferConfig, TransferManager

from bloodcell.errors import CorruptObjectError, ObjectNotFoundError, TransientError
from bloodcell.files import sha256_of, storage_errors, whole_file
from bloodcell.store.base import WEEK, Progress, parts_of
from bloodcell.store.s3_client import TRANSFER_THREADS, renewed_client, s3_client
from bloodcell.store.s3_errors import is_expiry, s3_errors, status_of
from bloodcell.store.s3_patience import PATIENCE, Patience
from bloodcell.store.s3_requests import Found, get, keys, look
from bloodcell.store.s3_transfers import Watcher, finish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_SIZE = 8 * 2**20
"""Bytes of a part; what is larger travels in parts at once. S3 takes no less than 5 MiB."""

_SHA256 = "sha256"
"""Name of the metadata."""

T = TypeVar("T")


class S3Store:
    """A store in a bucket.

    Each object carries its SHA-256 as metadata, which every server keeps, and is checked against it when it is read;
    one that another tool put there without is taken as it is. What fails for a reason that may pass is tried again, as
    `Patience` says.

    Args:
        bucket: The bucket, which exists.
        prefix: What all names start with; may be empty.
        client: From `s3_client`.
        part_size: Bytes of a part of a large object.
        progress: Told of every upload and download.
        renew: Makes a client with credentials read anew, where those of `client` have expired.
        seen: Whether the bucket is known to have been there.
        patience: Seconds for which a bucket that was there is waited for.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        client: "S3Client",
        *,
        part_size: int = PART_SIZE,
        progress: Progress | None = None,
        renew: Callable[[], "S3Client"] | None = None,
        seen: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._progress = progress
        self._renew = renew
        self._part_size = part_size
        self._endpoint = client.meta.endpoint_url
        self._patience = Patience(patience, seen=seen)
        self._use(client)

    def __reduce__(self) -> tuple[Callable[..., "S3Store"], tuple[str, str, bool]]:
        """In another process it is a store of the same bucket, with the credentials there."""
        return _opened, (self._bucket, self._prefix, self._patience.seen)

    @property
    def url(self) -> str:
        """`s3://<bucket>/<prefix>`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def exists(self, name: str) -> bool:
        """Whether the object is there."""
        try:
            self._attempt(name, lambda: self._look(name))
        except ObjectNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """The object's bytes, checked."""
        return self._attempt(name, lambda: self._read(name))

    def write(self, name: str, data: bytes) -> None:
        """Write the object, in parts where it is large."""
        self._send(lambda: io.BytesIO(data), name, hashlib.sha256(data).hexdigest())

    def create(self, name: str, data: bytes) -> bool:
        """Write the object unless it is there, by a conditional write: the server decides."""
        digest = hashlib.sha256(data).hexdigest()
        tries = itertools.count()
        return self._attempt(name, lambda: self._create(name, data, digest, tried=next(tries) > 0))

    def upload(self, source: Path, name: str) -> None:
        """Write the object from a file, in parts where it is large."""
        with storage_errors(source.name, str(source.parent), "BLOODCELL_CACHE"):
            self._send(lambda: str(source), name, sha256_of(source))

    def download(self, name: str, target: Path) -> None:
        """Write the object to a file, in parts where it is large, checked before the file appears."""
        with storage_errors(target.name, str(target.parent), "BLOODCELL_CACHE"), whole_file(target) as path:
            self._attempt(name, lambda: self._fetch(name, path))

    def delete(self, name: str) -> None:
        """Remove the object."""
        self._attempt(name, lambda: self._client.delete_object(Bucket=self._bucket, Key=self._key(name)))

    def list(self, prefix: str) -> Iterator[str]:
        """Names below `prefix`, in lexical order whatever the server's is."""
        above = f"{self._prefix}/" if self._prefix else ""
        # A key that ends in a slash is what consoles leave for an empty folder.
        found = self._attempt(prefix, lambda: keys(self._client, self._bucket, f"{self._key(prefix)}/"))
        yield from sorted(key.removeprefix(above) for key in found if not key.endswith("/"))

    def link(self, name: str, *, lasting: timedelta = WEEK) -> str:
        """A signed URL, at which a browser shows text instead of saving it.

        With temporary credentials it is the object's `s3://` address, which no browser opens: a link that they sign
        holds their token, and seldom opens for longer than a few hours.
        """
        media_type = _media_type(name)
        if media_type.startswith("text/") and not media_type.startswith("text/html"):
            media_type = _media_type("plain.txt")
        with self._errors(name):
            signed = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": self._key(name), "ResponseContentType": media_type},
                ExpiresIn=int(min(lasting, WEEK).total_seconds()),
            )
        return f"{self.url}/{name}" if "X-Amz-Security-Token=" in signed else signed

    def _key(self, name: str) -> str:
        return "/".join((*filter(None, (self._prefix,)), *parts_of(name)))

    def _errors(self, name: str) -> AbstractContextManager[None]:
        return s3_errors(self.url, name, self._endpoint, seen=self._patience.seen)

    def _use(self, client: "S3Client") -> None:
        self._client = client
        self._transfers = TransferManager(
            client,
            TransferConfig(
                multipart_threshold=self._part_size,
                multipart_chunksize=self._part_size,
                max_request_concurrency=TRANSFER_THREADS,
                max_io_queue_size=100,  # chunks of 256 KiB that wait for the disk; 1000 by default
                num_download_attempts=3,  # 5 by default, and each waits for a silent server
            ),
        )

    def _attempt(self, name: str, action: Callable[[], T]) -> T:
        def attempt() -> T:
            try:
                with self._errors(name):
                    return action()
            except TransientError as error:
                if self._renew and is_expiry(error.__cause__):
                    self._use(self._renew())
                raise

        return self._patience.attempt(attempt)

    def _look(self, name: str) -> Found:
        return look(self._client, self._bucket, self._key(name))

    def _read(self, name: str) -> bytes:
        data, metadata = get(self._client, self._bucket, self._key(name))
        self._check(name, hashlib.sha256(data).hexdigest(), metadata)
        return data

    def _fetch(self, name: str, path: Path) -> None:
        found = self._look(name)
        watcher = Watcher(name, self._progress, size=found.size, etag=found.etag)
        with path.open("wb") as file:
            finish(self._transfers.download(self._bucket, self._key(name), file, subscribers=[watcher]))
        self._check(name, sha256_of(path), found.metadata)

    def _create(self, name: str, data: bytes, digest: str, *, tried: bool) -> bool:
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._key(name), Body=data, IfNoneMatch="*", **_description(name, digest)
            )
        except ClientError as error:
            if status_of(error) != HTTPStatus.PRECONDITION_FAILED:
                raise
            # Where the reply to an earlier try was lost, this one meets what that one has written.
            tried = tried or error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
            return tried and self._look(name).metadata.get(_SHA256) == digest
        return True

    def _send(self, source: "Callable[[], str | BinaryIO]", name: str, digest: str) -> None:
        def send() -> None:
            finish(
                self._transfers.upload(
                    source(),
                    self._bucket,
                    self._key(name),
                    extra_args=_description(name, digest),
                    subscribers=[Watcher(name, self._progress)],
                )
            )

        self._attempt(name, send)

    def _check(self, name: str, received: str, metadata: Mapping[str, str]) -> None:
        recorded = metadata.get(_SHA256, received)
        if received != recorded:
            raise CorruptObjectError(
                f"{name} in {self.url} has the SHA-256 {received}, not {recorded} as when it was written",
                remedy="delete the object and run again",
            )


def _opened(bucket: str, prefix: str, seen: bool) -> S3Store:
    return S3Store(bucket, prefix, s3_client(), renew=renewed_client, seen=seen)


def _description(name: str, digest: str) -> dict[str, Any]:
    return {"ContentType": _media_type(name), "Metadata": {_SHA256: digest}}


def _media_type(name: str) -> str:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
