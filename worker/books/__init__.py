"""What the workers judge by: the book in force, its switches, signatures, archive, and the hospital's overrides.

How a book is made of rule files is in `rules.book` and `rules.loader`.
"""
