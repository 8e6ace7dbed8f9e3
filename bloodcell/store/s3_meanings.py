"""What S3's errors mean: one table by the code of a reply, one by botocore's exceptions.

No message quotes a credential: what the server or botocore says is repeated only where neither table knows better.
"""

from typing import NamedTuple

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
    TransientError,
)


class Meaning(NamedTuple):
    """What an error means: its class, the reason in words, and what the reader can do."""

    error: type[BloodcellError]
    reason: str
    remedy: str


_NO_OBJECT = Meaning(ObjectNotFoundError, "there is no such object", "check the name, or BLOODCELL_STORE")
_DENIED = Meaning(
    StoragePermissionError,
    "access is denied",
    "allow these credentials s3:GetObject and s3:PutObject on the objects and s3:ListBucket on the bucket",
)
_UNKNOWN_KEY = Meaning(
    StoragePermissionError,
    "the server does not know the access key",
    "correct AWS_ACCESS_KEY_ID or AWS_PROFILE, or AWS_ENDPOINT_URL where the key is another server's",
)
# The next try may find fresh ones: what fetches credentials, or writes ~/.aws/credentials, has renewed them by then.
EXPIRED = Meaning(
    TransientError,
    "the temporary credentials have expired",
    "fetch new ones, or name by AWS_PROFILE a role or a `credential_process`, which renews them; run again",
)
_BAD_TOKEN = Meaning(
    StoragePermissionError,
    "the session token is not valid",
    "fetch new temporary credentials and set AWS_SESSION_TOKEN with them; unset it for a lasting key",
)
_REGION = Meaning(
    StorageError,
    "the bucket is in another region",
    "set AWS_REGION to the bucket's, and AWS_ENDPOINT_URL to its server",
)
# A machine that slept, or has just started, sets its clock within minutes; and the clock at fault may be the server's.
_CLOCK = Meaning(
    TransientError, "this machine's clock is not the server's", "set the clock, by NTP for instance, and run again"
)
_FULL = Meaning(
    StorageFullError,
    "the server has no space left, or a quota is used up",
    "free space there or raise the quota, and run again: finished experiments are kept",
)
BUSY = Meaning(
    TransientError,
    "the server is overloaded, or failed",
    "run again later; look at the server's log where it is your own",
)
_GARBLED = Meaning(
    TransientError,
    "request or reply was garbled or cut short on its way",
    "run again; check the network, and any proxy",
)
_MEANWHILE = Meaning(TransientError, "the object was written or deleted meanwhile", "run again")
VANISHED = Meaning(
    TransientError,
    "the bucket was there, and is gone",
    "find out what has become of it, or whether AWS_ENDPOINT_URL is another server's here; run again when it is back",
)
UNREACHABLE = Meaning(
    TransientError, "the server cannot be reached", "check that it runs, the network, and AWS_ENDPOINT_URL; run again"
)
_SIGNED_OFF = Meaning(StoragePermissionError, "the sign-on has expired", "sign on again: aws sso login")
_NO_BUCKET_NAME = Meaning(
    StorageError,
    "that is no bucket's name",
    "correct BLOODCELL_STORE: s3://<bucket>/<prefix>, the bucket 3 to 63 small letters, digits, `.` and `-`",
)

CODES: dict[str, Meaning] = {
    "404": _NO_OBJECT,
    "NoSuchKey": _NO_OBJECT,
    "NoSuchBucket": Meaning(
        StorageError, "there is no such bucket", "create the bucket, or correct BLOODCELL_STORE or AWS_ENDPOINT_URL"
    ),
    "InvalidBucketName": _NO_BUCKET_NAME,
    "403": _DENIED,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "Unauthorized": _UNKNOWN_KEY,  # Cloudflare R2
    "SignatureDoesNotMatch": Meaning(
        StoragePermissionError,
        "the secret key does not belong to the access key",
        "correct AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
    ),
    "ExpiredToken": EXPIRED,
    "InvalidToken": _BAD_TOKEN,
    "TokenRefreshRequired": EXPIRED,
    "301": _REGION,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "EntityTooLarge": Meaning(
        StorageFullError, "the object is larger than the server accepts", "raise the server's limit"
    ),
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "507": _FULL,
    "NotImplemented": Meaning(
        StorageError,
        "the server does not know this request",
        "use one that knows multipart uploads and conditional writes (If-None-Match)",
    ),
    "SlowDown": BUSY,
    "Throttling": BUSY,
    "ThrottlingException": BUSY,
    "TooManyRequests": BUSY,
    "RequestLimitExceeded": BUSY,
    "RequestTimeout": BUSY,
    "BadDigest": _GARBLED,
    "XAmzContentSHA256Mismatch": _GARBLED,
    "IncompleteBody": _GARBLED,
    "ConditionalRequestConflict": _MEANWHILE,
    "OperationAborted": _MEANWHILE,
    "409": _MEANWHILE,
    "PreconditionFailed": _MEANWHILE,
    "412": _MEANWHILE,
    "416": _MEANWHILE,
    "NoSuchUpload": _MEANWHILE,
}
"""By the code of the server's reply; a reply whose body is empty or cut short has its HTTP status for a code."""

EXCEPTIONS: dict[type[Exception], Meaning] = {
    botocore.NoCredentialsError: Meaning(
        StoragePermissionError,
        "no credentials are set",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    ),
    botocore.SSOError: _SIGNED_OFF,
    botocore.TokenRetrievalError: _SIGNED_OFF,
    botocore.CredentialRetrievalError: Meaning(
        TransientError, "credentials could not be fetched", "check AWS_PROFILE and its source; run again"
    ),
    botocore.ParamValidationError: _NO_BUCKET_NAME,  # the one parameter that a user writes
    botocore.SSLError: Meaning(
        StorageError,
        "the server's certificate is not trusted, or it does not speak TLS",
        "set AWS_CA_BUNDLE to the certificate of its authority, or correct AWS_ENDPOINT_URL (http:// or https://)",
    ),
    botocore.ProxyConnectionError: Meaning(
        TransientError, "the proxy cannot be reached", "correct HTTP_PROXY and HTTPS_PROXY, or set NO_PROXY"
    ),
    botocore.ConnectionError: UNREACHABLE,
    botocore.HTTPClientError: UNREACHABLE,
    botocore.IncompleteReadError: UNREACHABLE,
    ResponseParserError: _GARBLED,
    HTTPError: UNREACHABLE,  # of urllib3: TLS that breaks while a reply is read
    ConnectionError: UNREACHABLE,
    TimeoutError: UNREACHABLE,
    s3transfer.S3DownloadFailedError: _MEANWHILE,
    s3transfer.S3ValidationError: BUSY,
}
"""By class, the first that fits, of what never became a whole reply."""
