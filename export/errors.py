"""The error that stops an export."""

from fusedet.common.errors import InputError


class ExportError(InputError):
    """A model cannot be exported as asked, or what was exported does not do what the network does.

    Nothing is left at the destination.
    """
