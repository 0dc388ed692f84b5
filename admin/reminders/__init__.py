"""Reminders of offers, and notices to shoppers."""
