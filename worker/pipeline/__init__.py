"""The stages that a claim passes, and what surrounds them.

In order: `inbox` (take), `reading`, `routing` (to the home partition), `deciding`, `rendering`, the audit log,
`commit`; `consumer` calls them. Before them: `eventmaker`, `producer`, `partitioner`. After them: `outlets`,
`quarantine`, `ledger`. Beside them: `notification` and `maintenance`.
"""
