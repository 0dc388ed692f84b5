"""What promotions are and which rules they must keep. Pure: no database, no Redis, no HTTP."""
