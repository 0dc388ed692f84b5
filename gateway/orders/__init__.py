"""From the stream of winners to orders in the database."""
