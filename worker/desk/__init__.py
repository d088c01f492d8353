"""What becomes of a held claim: its case, what people do about it, and the store that keeps both.

`cases` is the core: a case is folded from decisions and acts, without a clock or a database. `casestore` keeps it,
`following` brings the decisions in, `acting` a person's acts, each with its audit line. Needs the extra `desk`.
"""
