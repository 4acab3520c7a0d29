"""Tests and intervals, one method a file. Pure.

Sequential methods may be looked at after every observation: their error holds for all looks together.
"""
