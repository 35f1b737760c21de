"""One adapter per annotation: its type, and the way of its values to JSON and back."""
