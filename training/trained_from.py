"""The files of a package that say what the version was made from."""

from __future__ import annotations

TRAINED_FROM = "trained_from.json"
"""A run that would make a version from the same again reuses the package."""
TRAINING_DOCUMENT = "training_document.json"
"""The document of the run, as it was read: the source, the gates and the words of the card, too."""
