"""Retraining: when live rows say that a model has aged, its successor is trained, judged and offered."""
