"""One module per command; each has it as ``command``. Module level imports stay light."""
