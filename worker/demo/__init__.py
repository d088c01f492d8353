"""What `scrub demo` submits: claims with the verdict that each must get, and events that nobody could read."""
