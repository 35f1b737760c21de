"""Access to Temporal that clients and workers share: connections, payloads, descriptions, search attributes."""
