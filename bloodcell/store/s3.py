"""Objects in a bucket of AWS S3, or of a server that speaks its protocol."""

import hashlib
import io
import mimetypes
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.utils import S3_RETRYABLE_DOWNLOAD_ERRORS

from bloodcell.errors import CorruptObjectError, ObjectNotFoundError
from bloodcell.files import sha256_of, storage_errors, whole_file
from bloodcell.store.base import WEEK, Progress, parts_of
from bloodcell.store.s3_client import TRANSFER_THREADS
from bloodcell.store.s3_errors import code_of, s3_errors
from bloodcell.store.s3_transfers import Watcher, finish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

PART_SIZE = 8 * 2**20
"""Bytes of a part; what is larger travels in parts at once. S3 takes no less than 5 MiB."""

_SHA256 = "sha256"
"""Name of the metadata."""


class S3Store:
    """A store in a bucket.

    Each object carries its SHA-256 as metadata, which every server keeps, and is checked against it when it is read;
    one that another tool put there without is taken as it is.

    Args:
        bucket: The bucket, which exists.
        prefix: What all names start with; may be empty.
        client: From `s3_client`.
        part_size: Bytes of a part of a large object.
        progress: Told of every upload and download.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        client: "S3Client",
        *,
        part_size: int = PART_SIZE,
        progress: Progress | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._client = client
        self._progress = progress
        self._endpoint = client.meta.endpoint_url.rpartition("@")[2]  # no message may show a password
        self._bucket_exists = False  # as far as is known
        self._transfers = TransferManager(
            client,
            TransferConfig(
                multipart_threshold=part_size,
                multipart_chunksize=part_size,
                max_request_concurrency=TRANSFER_THREADS,
                max_io_queue_size=100,  # chunks of 256 KiB that wait for the disk; 1000 by default
            ),
        )

    @property
    def url(self) -> str:
        """`s3://<bucket>/<prefix>`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def exists(self, name: str) -> bool:
        """Whether the object is there."""
        try:
            self._head(name)
        except ObjectNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """The object's bytes, checked."""
        with self._errors(name):
            data, metadata = self._get(self._key(name))
        self._check(name, hashlib.sha256(data).hexdigest(), metadata)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write the object, in parts where it is large."""
        self._send(io.BytesIO(data), name, hashlib.sha256(data).hexdigest())

    def create(self, name: str, data: bytes) -> bool:
        """Write the object unless it is there, by a conditional write: the server decides."""
        digest = hashlib.sha256(data).hexdigest()
        with self._errors(name):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._key(name), Body=data, IfNoneMatch="*", **_description(name, digest)
                )
            except ClientError as error:
                if code_of(error) != "PreconditionFailed":
                    raise
                # Where the reply to a first attempt was lost, the second one meets what the first has written.
                tried_again = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                return tried_again and self._head(name)["Metadata"].get(_SHA256) == digest
        return True

    def upload(self, source: Path, name: str) -> None:
        """Write the object from a file, in parts where it is large."""
        with storage_errors(source.name, str(source.parent), "BLOODCELL_CACHE"):
            self._send(str(source), name, sha256_of(source))

    def download(self, name: str, target: Path) -> None:
        """Write the object to a file, in parts where it is large, checked before the file appears."""
        head = self._head(name)
        watcher = Watcher(name, self._progress, size=head["ContentLength"], etag=head["ETag"])
        with storage_errors(target.name, str(target.parent), "BLOODCELL_CACHE"), whole_file(target) as path:
            with self._errors(name), path.open("wb") as file:
                finish(self._transfers.download(self._bucket, self._key(name), file, subscribers=[watcher]))
            self._check(name, sha256_of(path), head["Metadata"])

    def delete(self, name: str) -> None:
        """Remove the object."""
        with self._errors(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def list(self, prefix: str) -> Iterator[str]:
        """Names below `prefix`, in lexical order whatever the server's is."""
        above = f"{self._prefix}/" if self._prefix else ""
        with self._errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{self._key(prefix)}/"
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        # A key that ends in a slash is what consoles leave for an empty folder.
        yield from sorted(key.removeprefix(above) for key in keys if not key.endswith("/"))

    def link(self, name: str, *, lasting: timedelta = WEEK) -> str:
        """A signed URL, at which a browser shows text instead of saving it."""
        media_type = _media_type(name)
        if media_type.startswith("text/") and not media_type.startswith("text/html"):
            media_type = _media_type("plain.txt")
        with self._errors(name):
            return self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": self._key(name), "ResponseContentType": media_type},
                ExpiresIn=int(min(lasting, WEEK).total_seconds()),
            )

    def _key(self, name: str) -> str:
        return "/".join((*filter(None, (self._prefix,)), *parts_of(name)))

    def _errors(self, name: str) -> AbstractContextManager[None]:
        return s3_errors(self.url, name, self._endpoint)

    def _head(self, name: str) -> "HeadObjectOutputTypeDef":
        with self._errors(name):
            try:
                return self._client.head_object(Bucket=self._bucket, Key=self._key(name))
            except ClientError as error:
                self._raise_explained(error, self._key(name))
                raise

    def _raise_explained(self, error: ClientError, key: str) -> None:
        """Raise what a GET says where HEAD's reply, which has no body, leaves open what is missing or denied."""
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or (status == HTTPStatus.NOT_FOUND and self._bucket_exists):
            return
        try:
            self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
        except self._client.exceptions.NoSuchKey:
            self._bucket_exists = True  # so that the next miss needs no second request
            raise

    def _get(self, key: str, attempts: int = 3) -> tuple[bytes, Mapping[str, str]]:
        reply = self._client.get_object(Bucket=self._bucket, Key=key)
        try:
            return reply["Body"].read(), reply["Metadata"]
        except S3_RETRYABLE_DOWNLOAD_ERRORS:  # cut short; botocore tries again only what has no reply at all
            if attempts == 1:
                raise
            return self._get(key, attempts - 1)

    def _send(self, source: str | BinaryIO, name: str, digest: str) -> None:
        with self._errors(name):
            finish(
                self._transfers.upload(
                    source,
                    self._bucket,
                    self._key(name),
                    extra_args=_description(name, digest),
                    subscribers=[Watcher(name, self._progress)],
                )
            )

    def _check(self, name: str, received: str, metadata: Mapping[str, str]) -> None:
        recorded = metadata.get(_SHA256, received)
        if received != recorded:
            raise CorruptObjectError(
                f"{name} in {self.url} has the SHA-256 {received}, not {recorded} as when it was written",
                remedy="delete the object and run again",
            )


def _description(name: str, digest: str) -> dict[str, Any]:
    return {"ContentType": _media_type(name), "Metadata": {_SHA256: digest}}


def _media_type(name: str) -> str:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
