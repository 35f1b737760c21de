"""Documents from YAML and JSON files, which may use short forms."""
