"""What the rules are worth on a hospital's own history: claims as they were sent, judged as of that day, beside what
payers answered. No Redis, no clock: the same files, books and overrides give the same result.

`spool` keeps the claims on the disk, `sending` says when each was sent, `judging` judges patient by patient with a
ledger built in the order of the days, `holding` puts answers and verdicts together by the code of `worker.outcomes`,
`counting`, `money`, `shares` and `suppression` make figures of them, and `result` is what comes out.
"""
