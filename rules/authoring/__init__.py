"""For those who write rules: examples, stories, explanations, differences, impact."""
