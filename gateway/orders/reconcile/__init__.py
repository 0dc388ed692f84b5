"""Redis, streams and ledger held against each other for every offer, and repaired where one answer is right."""
