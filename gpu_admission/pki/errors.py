"""Errors of certificates. Each message is one line for a user and never contains a key."""


class PkiError(Exception):
    """Anything wrong with certificates, keys or where they are kept."""


class PairError(PkiError):
    """A certificate and key that cannot be served."""


class CertificateSetError(PkiError):
    """Stored certificates that are broken: not PEM, a part missing, parts that do not belong together."""


class ForeignError(PkiError):
    """Stored certificates that were not made by gpu-admission; they are never overwritten unless requested."""


class StoreError(PkiError):
    """A directory or Secret that cannot be read or written."""


class ConflictError(StoreError):
    """Another process wrote first. Read again and decide again."""
