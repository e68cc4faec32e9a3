"""Bodies as they are compared: one module for each form that is read, `read` to pick one, `body` for what comes out.

How two bodies of one kind are compared is said in one table, `FIND` in `compare`. Nothing here knows DeepDiff.
"""
