"""The book archive, what is in force, signatures, the hospital's overrides."""
