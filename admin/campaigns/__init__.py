"""Campaigns: set up, published as offers, watched and stopped."""
