"""Pure values and decisions: no I/O, no clock, no global randomness.

Read ranges, space, spec, history, policy and judge in this order.
"""
