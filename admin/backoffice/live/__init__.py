"""Pages of the back office about how campaigns sell: the live monitor, and reports."""
