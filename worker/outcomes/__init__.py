"""What payers answered (835)."""
