"""Reconciliation, health, progress, pressure, workers."""
