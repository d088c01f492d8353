"""What is wrong with an installation: the examinations of `scrub doctor`."""
