"""The stages that a claim passes, ledger, deduplication, quarantine, maintenance, notification."""
