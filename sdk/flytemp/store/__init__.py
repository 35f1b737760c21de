"""The object store: metadata objects (`object_store`) and raw data (`raw`). No other module talks to fsspec."""
