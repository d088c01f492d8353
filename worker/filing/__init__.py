"""Claims that leave by file: an 837 of a drop folder through the queue, and into the files that are made of it.

state       what Redis holds of a file on its way, and of its claims
claims      the claims of a file as they are sent, and those that are not
leaving     what becomes of claims on which there is no verdict when their file is written
collecting  decisions off their outlet, each to its file
onefile     one file, from its bytes to the files that are made of it
later       claims that were held, and were let go or repaired since, out of the original that was kept
cutoff      when a file is written at the latest
folders     the drop folder in, the other out
"""
