"""Receipts that shoppers and auditors bring back."""
