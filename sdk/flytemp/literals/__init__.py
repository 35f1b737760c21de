"""Types and values as the spec and the store hold them: plain JSON, described by a `LiteralType`."""
