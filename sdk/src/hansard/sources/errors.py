"""What goes wrong with a data source, each in one sentence that holds no secret.

SourceError
├── AddressRefused     the address makes no sense, holds a secret, or leads where it may not
├── QueryRefused       the query cannot be run as asked, or its rows cannot be kept exactly
├── MissingLibrary     a library is needed that is not installed
├── SourceMissing      nothing is there
├── SourceDenied       the credentials are not accepted
├── SourceUnavailable  no answer, or the connection was cut: may pass
├── SourceTooLarge     more bytes than allowed
├── NotResumable       the middle of a file cannot be had for certain: read it from the start
└── SourceChanged      it is not what was listed, or what a reference describes, any more
"""


class SourceError(Exception):
    """Anything that goes wrong between a data source and its reader."""


class AddressRefused(SourceError):
    """The address makes no sense, holds a secret, or leads where it may not."""


class QueryRefused(SourceError):
    """The query cannot be run as asked, or its rows cannot be kept exactly."""


class MissingLibrary(SourceError):
    """A library is needed that is not installed; the message says which."""


class SourceMissing(SourceError):
    """Nothing is there."""


class SourceDenied(SourceError):
    """The credentials are not accepted."""


class SourceUnavailable(SourceError):
    """No answer, or the connection was cut: it may pass."""


class SourceTooLarge(SourceError):
    """The source has more bytes than allowed."""


class NotResumable(SourceError):
    """The middle of a file cannot be had for certain: read it from the start."""


class SourceChanged(SourceError):
    """The source is not what was listed, or what a reference describes, any more."""
