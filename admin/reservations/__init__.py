"""What an order holds of everything that can run out: one ledger for all of it."""
