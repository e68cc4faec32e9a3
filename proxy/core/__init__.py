"""The pure part: no I/O, no clock, no randomness. Time, ids and secrets come in as arguments."""
