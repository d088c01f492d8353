"""The audit log (`log`), the fields of its lines (`lines`), and its chains (`chains`)."""
