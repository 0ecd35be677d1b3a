"""Pure values and decisions: no I/O, no clock, no global randomness. Read space, spec, history, decide in this order."""
