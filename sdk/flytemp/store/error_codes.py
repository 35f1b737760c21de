"""Classification of the errors of object stores by their codes, independent of the client's exception classes."""

from __future__ import annotations

from collections.abc import Iterator

_REFUSALS = frozenset({"PreconditionFailed", "412"})
_CONFLICTS = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
_MISSING_BUCKETS = frozenset({"NoSuchBucket", "InvalidBucketName"})
_TRANSIENT = frozenset({"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "429", "500", "502", "503", "504"})
# The answer to a second completion of an upload, which the client requests if the first answer was lost.
_VANISHED_UPLOADS = frozenset({"NoSuchUpload"})
_DENIALS = frozenset(
    {"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "401", "403"}
)
_DENIAL_ERRORS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"})
_CONNECTION_ERRORS = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError"})


def is_refusal(error: BaseException) -> bool:
    """Return whether the store refused a write because the object exists. SeaweedFS's answer becomes OSError(EINVAL)."""
    return isinstance(error, FileExistsError) or bool(_codes(error) & _REFUSALS)


def is_conflict(error: BaseException) -> bool:
    """Return whether the store refused a conditional write because of a concurrent one. Either of them may succeed later."""
    return bool(_codes(error) & _CONFLICTS)


def is_transient(error: BaseException) -> bool:
    """Return whether a repetition of the request may succeed: the store is overloaded, or had an internal error."""
    return bool(_codes(error) & (_TRANSIENT | _VANISHED_UPLOADS))


def is_missing_bucket(error: BaseException) -> bool:
    """Return whether the bucket does not exist, which clients report like a missing object."""
    return bool(_codes(error) & _MISSING_BUCKETS)


def is_denial(error: BaseException) -> bool:
    """Return whether credentials are missing, or the store rejects them."""
    return isinstance(error, PermissionError) or bool(_codes(error) & _DENIALS) or bool(_names(error) & _DENIAL_ERRORS)


def is_unreachable(error: BaseException) -> bool:
    """Return whether no server answers at the store's address."""
    return isinstance(error, ConnectionRefusedError) or bool(_names(error) & _CONNECTION_ERRORS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over the error and its causes. In fsspec's clients the server's answer is in a cause."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _names(error: BaseException) -> set[str]:
    # By name, because the clients that define the classes may not be installed.
    return {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}


def _codes(error: BaseException) -> set[str]:
    """Return the codes and HTTP statuses in the attributes of an error and its causes."""
    codes: set[str] = set()
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            codes.add(str(response.get("Error", {}).get("Code", "")))
            codes.add(str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")))
        codes.add(str(getattr(cause, "code", "")))
    return codes
