"""The error that ends a command with one line for its user."""


class StackError(Exception):
    """A failure told in one line: what went wrong and what to do about it. The user sees nothing else."""
