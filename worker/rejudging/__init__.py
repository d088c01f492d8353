"""Replay of a verdict; impact of a new book."""
