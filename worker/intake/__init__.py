"""Reading what hospitals send: JSON, NDJSON and CloudEvents."""
