"""Settings (`settings` is the table of all), the URL of a Redis, and what a worker's process is called."""
