"""Code bundles: pack a project deterministically, and extract it safely."""
