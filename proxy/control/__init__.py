"""The control plane of one node: what is in force, what was seen, and the processes that do the work."""
