"""The functional core: claim and rule book in, report out. No clock, no network, no log.

`rules.engine.check.check` judges a claim, `rules.loader` reads a book, and `rules/library/` is the shipped one.
rules/README.md is for those who write rules; docs/architecture.md has every package and its layer.
"""

PROJECT = "claim-scrubber"
"""Whose `rules` this is: PyPI has another one, and `worker` looks before it imports from here."""
