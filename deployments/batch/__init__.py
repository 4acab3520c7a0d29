"""Batch scoring: files in, files out, by the packages, the checks and the assignment that answer requests too."""
