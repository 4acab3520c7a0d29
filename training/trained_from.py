"""The file of a package that says what the version was made from."""

from __future__ import annotations

TRAINED_FROM = "trained_from.json"
"""A run that would make a version from the same again reuses the package."""
