"""What the SDK raises inside a step process."""


class Cancelled(BaseException):
    """The run was cancelled: raised once in the main thread, so that user code can clean up.

    Like KeyboardInterrupt it is no Exception: ``except Exception`` does not swallow it.
    """


class StepError(Exception):
    """A step cannot be started as asked; the message says what to change."""


class CommandFailed(Exception):
    """The command of a code run did not end well; the message says how."""


class ParameterError(StepError):
    """The value of a parameter is not what its annotation means; names the parameter and why."""
