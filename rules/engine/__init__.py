"""Claim and book in, report out; what it keeps is explained in the README.md beside."""
