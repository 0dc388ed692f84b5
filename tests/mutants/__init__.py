"""Mutations of the code that its tests must notice."""
