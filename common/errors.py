"""The exceptions that tell a user what went wrong, in one line."""


class InputError(ValueError):
    """Bad input from the user: a file, a key, a value, a model or a source.

    The message is one line that names the file and the line or key, what was expected and what came.
    The command line prints it without a traceback and exits with code 2.
    """


class GaveUpError(RuntimeError):
    """Work that could not be finished though the input was good; what was done until then is kept.

    The message is one line that says why and how to go on. The command line exits with code 1.
    """
