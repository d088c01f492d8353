"""What `scrub status` and the operational log say of queue and workers: reconciliation, health, progress, pressure."""
