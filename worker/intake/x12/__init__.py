"""Reading X12 837 claims: `read_x12`.

`segments` cuts the stream, `walker` follows the loops, `fields` is the table of what comes from where.
"""

from worker.intake.x12.reader import read_x12

__all__ = ["read_x12"]
