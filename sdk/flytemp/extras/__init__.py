"""Names that flytekit keeps under ``extras``."""
