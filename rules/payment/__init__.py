"""What a payer is expected to allow for a line: Medicare's own arithmetic, and a hospital's contracts with others.

Question and tables in, answer out. What cannot be said is said to be unknown, with what is missing.
"""
