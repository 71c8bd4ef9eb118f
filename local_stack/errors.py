class StackError(Exception):
    """What went wrong and what to do about it, in one line: all that the user gets to see."""
