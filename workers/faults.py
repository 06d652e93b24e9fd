"""Why an attempt did not succeed, told apart by whose fault it is.

AttemptFault
├── StepFault       the step's own doing, or its requirements: the run has failed
├── PlatformFault   the platform, network, disk or node: the attempt may be tried again
└── Stopped         somebody wanted it to stop
"""


class AttemptFault(Exception):
    """Ends an attempt; the message is a sentence for a person, without secrets."""


class StepFault(AttemptFault):
    """The step, its code or its requirements are at fault."""


class PlatformFault(AttemptFault):
    """The infrastructure is at fault."""


class Stopped(AttemptFault):
    """The attempt was to stop, on request."""
