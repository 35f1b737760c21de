"""What the answers of object stores mean, whatever error a client makes of them."""

from __future__ import annotations

from collections.abc import Iterator

_REFUSALS = frozenset({"PreconditionFailed", "412"})
_CONFLICTS = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
_MISSING_BUCKETS = frozenset({"NoSuchBucket", "InvalidBucketName"})
_TRANSIENT = frozenset(
    {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "429", "500", "502", "503", "504"}
)
# An upload that is completed a second time, because the first answer was lost, is no longer known.
_VANISHED_UPLOADS = frozenset({"NoSuchUpload"})
_DENIALS = frozenset(
    {"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "401", "403"}
)
_DENIAL_ERRORS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"})
_SILENCE_ERRORS = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError"})


def is_refusal(error: BaseException) -> bool:
    """Whether the store said that the object exists. SeaweedFS's answer reaches us as OSError(EINVAL)."""
    return isinstance(error, FileExistsError) or bool(_codes(error) & _REFUSALS)


def is_conflict(error: BaseException) -> bool:
    """Whether another conditional write of the same key was under way: neither has been decided by that."""
    return bool(_codes(error) & _CONFLICTS)


def is_transient(error: BaseException) -> bool:
    """Whether the same request is worth repeating after a pause: the store is overloaded, or stumbled."""
    return bool(_codes(error) & (_TRANSIENT | _VANISHED_UPLOADS))


def is_missing_bucket(error: BaseException) -> bool:
    """Whether there is no such bucket, which clients report like a missing object."""
    return bool(_codes(error) & _MISSING_BUCKETS)


def is_denial(error: BaseException) -> bool:
    """Whether the store refuses who asks, or nobody said who does."""
    return isinstance(error, PermissionError) or bool(_codes(error) & _DENIALS) or bool(_names(error) & _DENIAL_ERRORS)


def is_silence(error: BaseException) -> bool:
    """Whether nothing answers at the store's address."""
    return isinstance(error, ConnectionRefusedError) or bool(_names(error) & _SILENCE_ERRORS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it; fsspec's clients hide the server's answer in a cause."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _names(error: BaseException) -> set[str]:
    # By name: the classes are of clients that need not be installed.
    return {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}


def _codes(error: BaseException) -> set[str]:
    """The codes and the HTTP statuses that clients hang on an error or on what caused it."""
    codes: set[str] = set()
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            codes.add(str(response.get("Error", {}).get("Code", "")))
            codes.add(str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")))
        codes.add(str(getattr(cause, "code", "")))
    return codes
