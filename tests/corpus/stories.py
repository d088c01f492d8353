"""The corpus of this folder: claims that payers pay and claims that they do not. How it is written: rules/authoring/stories.py."""

from __future__ import annotations

from pathlib import Path

from rules.authoring import stories
from rules.authoring.stories import Story
from rules.book.book import Book
from tests.book import BOOK

__all__ = ["STORIES", "Story", "read_stories"]
FOLDER = Path(__file__).parent


def read_stories(book: Book) -> tuple[Story, ...]:
    """Every story of the corpus, in the order of the files."""
    files = sorted(FOLDER.glob("*/*.yaml"))
    return stories.read_stories(book, {f.relative_to(FOLDER).as_posix(): f.read_text("utf-8") for f in files})


STORIES = read_stories(BOOK)
"""By the shipped book, read once a test process."""
