"""What payers answered, against what the rules had found. 835 files are read in `worker.intake.x12.remittance`."""
