"""The audit log and its chains."""
