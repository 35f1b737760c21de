"""From a user's modules to validated documents."""
