"""What the commands share: reading books, files and Redis, and writing to a terminal or into a pipe."""
