"""The object store: the only module that talks to fsspec."""
