"""Whom a receiver of results is trusted by, and what it is shown."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from fusedet.common.errors import InputError


@dataclass(frozen=True)
class TlsSettings:
    """Certificates of an encrypted connection."""

    ca_file: Path | None = None  # PEM with the authorities that are trusted instead of the system's
    client_cert: Path | None = None  # PEM that the other side asks for
    client_key: Path | None = None  # of ``client_cert``, without a passphrase; None: it is in the same file
    insecure: bool = False  # any certificate is taken, of any name

    def context(self) -> ssl.SSLContext:
        """What a connection is made with; the files are read anew, because certificates are renewed.

        Raises:
            InputError: a file is missing, or is none of certificates, or key and certificate do not belong together.
        """
        for path in (self.ca_file, self.client_cert, self.client_key):
            if path is not None and not path.is_file():
                raise InputError(f"{path}: expected a file of certificates or a key, but there is none")
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (ssl.SSLError, OSError) as error:
            raise InputError(f"{self.ca_file}: expected certificates as PEM, but: {_reason(error)}") from error
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert is not None:
            try:
                context.load_cert_chain(self.client_cert, self.client_key, password=_refuse_to_ask)
            except (ssl.SSLError, OSError, ValueError) as error:
                what = "expected a certificate and its key as PEM, without a passphrase"
                raise InputError(f"{self.client_key or self.client_cert}: {what}, but: {_reason(error)}") from error
        return context


def _refuse_to_ask() -> str:
    """OpenSSL would ask on the terminal."""
    raise ValueError("it has a passphrase")


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error).lower().replace("_", " ")
