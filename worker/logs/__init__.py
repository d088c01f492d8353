"""The operational log, log fields, standard output and error."""
