"""The one exception that tells a user what was wrong with what they gave."""

__all__ = ["InputError"]


class InputError(ValueError):
    """Bad input from the user: a file, a key, a value, a model or a source.

    The message is one line that names the file and the line or key, what was expected and what came.
    The command line prints it without a traceback and exits with code 2.
    """
