"""The bench: what a claim costs, alone and through the pipe, beside what else could be done with it.

Every figure is the median of several rounds, each of which runs every case once, so that whatever else the machine does
meets all alike; ratios within one run can be compared, figures of two runs cannot.
"""
