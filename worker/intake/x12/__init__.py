"""Reading X12 837 claims: `read_x12`.

`segments` cuts the stream, `envelope` keeps the count of interchanges, groups and sets, `walker` follows the loops of
the claims, `loops` and `elements` fill their fields, and `fields` is the table of what comes from where. Beside them,
`remittance` reads 835, and `answers` answers the sender: TA1 itself, 999 by `implementation`, 277CA by
`acknowledgment`.
"""

from worker.intake.x12.reader import read_x12

__all__ = ["read_x12"]
