"""Proof of a book: what no example shows, such as gaps between versions, twins, and blocks that no claim can meet."""
