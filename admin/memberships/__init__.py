"""Memberships that are bought."""
