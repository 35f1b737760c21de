"""Removal of credentials from text that is shown or logged, such as the password in ``sftp://user:password@host/store``."""

from __future__ import annotations

import re

_USER = re.compile(r"""(?P<before>\b[a-z][a-z0-9+.-]*://)[^\s/@'"]*@""", re.IGNORECASE)
# An unquoted password may contain a slash; the number of a port is no password.
_PASSWORD = re.compile(r"""(?P<before>\b[a-z][a-z0-9+.-]*://)[^\s/@:'"]*:(?!\d{1,5}/)[^\s@'"]*@""", re.IGNORECASE)
_PARAMETER = re.compile(
    r"""(?P<before>[?&;](?:[\w.-]*(?:signature|credential|password|passwd|secret|token|key)|sig|pwd)=)[^&\s'"]+""",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """Return ``text`` with ``***`` in place of the users, passwords, signatures and tokens in its URIs."""
    if "://" not in text:
        return text
    text = _USER.sub(r"\g<before>***@", text)
    return _PARAMETER.sub(r"\g<before>***", _PASSWORD.sub(r"\g<before>***@", text))
