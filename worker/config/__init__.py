"""Settings and the URL of a Redis."""
