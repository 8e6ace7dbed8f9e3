"""The S3 client of this process, made once from the AWS_ variables and files and shared by its threads."""

import hashlib
import os
import re
from base64 import b64encode
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from bloodcell.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRANSFER_THREADS = 8
"""Parts of large objects that a store moves at once."""

READ_TIMEOUT = 60.0
"""Seconds without a byte after which a server counts as silent.

Not less: on a slow link it hears nothing for as long as what the kernel holds of an upload is on its way.
"""

_CALLERS = 256
"""Threads beside them that may each have a request of their own: one an experiment, of a work pool's largest window.

A bound, not a cost: a connection is opened when a thread finds none free.
"""

_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

_CHECKSUMS = "AWS_REQUEST_CHECKSUM_CALCULATION"

_making = Lock()  # boto3 makes clients one at a time; made, they are safe to share


def s3_client(*, read_timeout: float = READ_TIMEOUT) -> "S3Client":
    """The client for the environment as it is now.

    Endpoint, credentials, profile and CA bundle are botocore's own AWS_ variables and files. So is the style of
    address: the bucket stands in the path where an endpoint is set (a plain host has no DNS name a bucket), and in the
    host name at AWS; `s3 = addressing_style = virtual` in the profile changes that. Without a region it is us-east-1.

    Args:
        read_timeout: Seconds without a byte after which a server counts as silent.

    Raises:
        ConfigError: A variable or file is not accepted.
    """
    for variable in _CREDENTIALS:
        # Sent as a header, it would be quoted in full by the error of the HTTP library.
        if any(char.isspace() for char in os.environ.get(variable, "")):
            raise ConfigError(
                f"{variable} holds white space; accepted is the bare value", remedy="remove the space or line break"
            )
    environment = frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    try:
        with _making:
            return _client(environment, os.getpid(), read_timeout)
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(
            f"the AWS_ variables and files make no S3 client: {error}",
            remedy="correct them, and unset those that are empty; an endpoint is http://<host>:<port>",
        ) from error


def renewed_client() -> "S3Client":
    """A client that has read credentials anew: botocore reads a file once, and knows no end of what it finds there."""
    _client.cache_clear()
    return s3_client()


@lru_cache(maxsize=8)
def _client(environment: frozenset[tuple[str, str]], process: int, read_timeout: float) -> "S3Client":  # noqa: ARG001
    """A new client; all of it is the key, as a forked child must not share its parent's connections."""
    region = os.environ.get("AWS_REGION") or None  # what AWS documents, and botocore does not read
    session = boto3.session.Session(region_name=region)
    client = session.client("s3", config=_config(read_timeout))
    if "@" in client.meta.endpoint_url:
        # S3 has no use for a user in an address, whose password signed links and botocore's errors would quote.
        bare = re.sub("//.*@", "//", client.meta.endpoint_url)
        client = session.client("s3", config=_config(read_timeout), endpoint_url=bare)
    client.meta.events.register_first("before-endpoint-resolution.s3", _name_the_region)
    if not os.environ.get(_CHECKSUMS):
        for upload in ("PutObject", "UploadPart"):
            client.meta.events.register(f"before-call.s3.{upload}", _add_md5)
    return client


def _name_the_region(context: dict[str, Any], **_: Any) -> None:
    """Sign links for the bucket's regional host: AWS's global one redirects, for a day, from a bucket that is new."""
    context["use_global_endpoint"] = False


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    """Have the server check what arrives, by the one checksum that all of them know; damaged bytes would lie there."""
    body, digest = params["body"], hashlib.md5(usedforsecurity=False)
    if isinstance(body, bytes):
        digest.update(body)
    else:
        start = body.tell()
        while chunk := body.read(2**20):
            digest.update(chunk)
        body.seek(start)
    params["headers"]["Content-MD5"] = b64encode(digest.digest()).decode()


def _config(read_timeout: float) -> Config:
    # Since 2025 botocore adds a CRC32 to every upload, in a form that Ceph and others refuse; SHA-256 is checked from
    # end to end anyway. A bucket with Object Lock demands the CRC32: there a user sets the variable to when_supported.
    chosen = os.environ.get(_CHECKSUMS)
    return Config(
        signature_version="s3v4",  # botocore's default for links is version 2, which newer servers refuse
        # A server that refuses is told within a second, one that throttles within 7 s, a silent one after 4 timeouts.
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=5,  # seconds, as the next
        read_timeout=read_timeout,
        tcp_keepalive=True,
        max_pool_connections=TRANSFER_THREADS + _CALLERS,
        request_checksum_calculation=None if chosen else "when_required",
        response_checksum_validation="when_required",
    )
