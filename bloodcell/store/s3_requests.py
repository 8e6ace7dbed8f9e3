"""Single requests of a bucket, as a store makes them of boto3's client."""

from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError
from s3transfer.utils import S3_RETRYABLE_DOWNLOAD_ERRORS

from bloodcell.store.s3_errors import status_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, GetObjectRequestTypeDef


class Found(NamedTuple):
    """What is known of an object without its bytes."""

    size: int
    etag: str
    metadata: Mapping[str, str]


def look(client: "S3Client", bucket: str, key: str) -> Found:
    """Ask for the first byte: a reply to HEAD has no body, and cannot tell a missing object from a missing bucket."""
    try:
        reply, _ = _get(client, {"Bucket": bucket, "Key": key, "Range": "bytes=0-0"}, 1)
    except ClientError as error:
        if status_of(error) != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        head = client.head_object(Bucket=bucket, Key=key)  # it is empty
        return Found(head["ContentLength"], head["ETag"], head["Metadata"])
    size = reply.get("ContentRange", "").rpartition("/")[2] or reply["ContentLength"]
    return Found(int(size), reply["ETag"], reply["Metadata"])


def get(client: "S3Client", bucket: str, key: str) -> tuple[bytes, Mapping[str, str]]:
    """An object's bytes and metadata."""
    reply, data = _get(client, {"Bucket": bucket, "Key": key})
    return data, reply["Metadata"]


def _get(
    client: "S3Client", request: "GetObjectRequestTypeDef", size: int | None = None, attempts: int = 3
) -> tuple["GetObjectOutputTypeDef", bytes]:
    """A reply and its first bytes. botocore tries again only what has no reply at all, not one that is cut short."""
    reply = client.get_object(**request)
    try:
        with closing(reply["Body"]) as body:
            return reply, body.read(size)
    except S3_RETRYABLE_DOWNLOAD_ERRORS:
        if attempts == 1:
            raise
        return _get(client, request, size, attempts - 1)


def keys(client: "S3Client", bucket: str, prefix: str) -> list[str]:
    """Keys that start so, in the server's order."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]
