"""What changed, what stands out and which budget is passed: columns of runs in, findings out. Pure.

Nothing here knows the day: what is recent, and which days a budget is for, is given by the caller.
"""
