"""The operational log, what a log line may hold, and standard output and error."""
