"""One file per promotion type."""
