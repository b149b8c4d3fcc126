"""How a command ends: its exit codes, and the exception for one that was called wrongly."""

OK, PROBLEMS, USAGE = 0, 1, 2


class UsageError(Exception):
    """The command was called in a way that it cannot do anything with; each argument is a line of
    the text, which says how to."""

    def __str__(self) -> str:
        return "\n".join(self.args)
