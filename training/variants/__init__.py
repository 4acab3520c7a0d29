"""Smaller and faster forms of a trained model, each accepted only within a stated loss of quality."""
