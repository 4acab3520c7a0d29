"""Transformers of lead scoring, one module a vertical; shipped and signed with every model of it."""
