"""Notices: what shoppers are told."""
