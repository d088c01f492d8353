"""Dated tables and imported editions."""
