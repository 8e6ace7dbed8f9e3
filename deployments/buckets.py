"""Buckets on S3 servers of one's own."""

from typing import TYPE_CHECKING

from bloodcell.store.s3_errors import s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def make_bucket(client: "S3Client", bucket: str) -> None:
    """Make a bucket, unless it is there.

    Args:
        client: Of the server.
        bucket: Its name.

    Raises:
        BloodcellError: The server cannot be reached, or does not allow it.
    """
    with s3_errors(f"s3://{bucket}", "the bucket", client.meta.endpoint_url):
        if bucket not in (existing["Name"] for existing in client.list_buckets()["Buckets"]):
            client.create_bucket(Bucket=bucket)
