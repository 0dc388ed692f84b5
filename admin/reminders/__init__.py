"""Reminders of offers."""
