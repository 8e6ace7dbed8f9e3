"""The object store: the one thing that the orchestrator and an experiment share."""

import re
from pathlib import Path

from bloodcell.errors import ConfigError
from bloodcell.store.base import AT_ONCE, Progress, Store
from bloodcell.store.local import LocalStore

__all__ = ["AT_ONCE", "LocalStore", "Progress", "Store", "open_store"]


def open_store(url: str, *, progress: Progress | None = None, seen: bool = False) -> Store:
    """The store at `url`. Nothing is read or written yet.

    Args:
        url: `file://<folder>`, absolute or relative to the working folder, or `s3://<bucket>/<prefix>`; the prefix may
            be left out.
        progress: Told of the bytes that go to or come from a bucket.
        seen: Whether the bucket is known to have been there: one that is not there now is waited for, then.

    Raises:
        ConfigError: The URL is not accepted, or the AWS_ variables are not.
    """
    scheme, _, place = url.partition("://")
    if scheme == "file" and place:
        return LocalStore(Path(place))
    bucket, _, prefix = place.partition("/")
    if scheme == "s3" and bucket and not re.search("[:@]", bucket):  # a secret key may hold a slash: what is before it
        from bloodcell.store.s3 import S3Store
        from bloodcell.store.s3_client import renewed_client, s3_client

        return S3Store(bucket, prefix, s3_client(), progress=progress, renew=renewed_client, seen=seen)
    shown = re.sub("//.*@", "//…@", url) if "@" in place else re.sub("^s3://[^/]*:.*", "s3://…", url)
    raise ConfigError(
        f"store URL is {shown!r}; accepted are file://<folder> and s3://<bucket>/<prefix>, credentials apart",
        remedy="set BLOODCELL_STORE to such a URL, and credentials as AWS_ variables",
    )
