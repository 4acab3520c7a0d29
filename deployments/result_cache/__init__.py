"""Scores that were computed already: of the same package, for the same row, in memory or in Redis."""
