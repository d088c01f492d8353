"""Exits by file: an 837 as it came into the files that go on, one for each class of its claims, and their manifest.

classes   what becomes of each claim, in the order of the file, as it is read
marks     where segments that matter begin and end in the bytes of the file
outgoing  one file that goes on: the envelope is ours, the claims are the original's, byte for byte
split     the second pass: each claim into the file of its class
manifest  which claim is where, which number stands for which
repairing a claim with values written otherwise in its own bytes
folder    the files get their names together, the manifest last
"""
