"""The command line's fixtures, for files of X12."""

from tests.cli.conftest import home, scrub

__all__ = ["home", "scrub"]
