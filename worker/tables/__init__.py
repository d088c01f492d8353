"""Importers of official tables: files as they are published, made into editions that the rule book takes up.

One module a publisher's layout, each a pure function from lines to an edition; `files` opens, `official` recognizes,
`editionstore` stores them.
"""
