"""The errors of fdl_zoo: each is one sentence, and knows the exit status of the command that it ends."""


class ZooError(Exception):
    """What the user can put right, in one sentence: what was given, why it cannot be, what would work."""

    exit_status = 2


class InvalidCard(ZooError):
    """A card, a signature or an entry's file does not keep the contract."""


class InvalidName(ZooError):
    """A name cannot be registered: it is malformed, or somebody else has it."""


class UnknownName(ZooError):
    """No entry has this name: a typo, a plugin that is not installed, or one that failed to load."""


class InvalidOption(ZooError):
    """An option is unknown, or its value is of another type or outside the accepted range."""


class InvalidSpec(ZooError):
    """A run specification has a wrong key, a wrong value, or parts that do not go together."""


class InvalidData(ZooError):
    """Data cannot be read, or do not fit the model."""


class UnusablePlace(ZooError):
    """A file or folder that is needed cannot be read or written."""


class PluginError(ZooError):
    """A plugin could not be loaded, or returned something else than its kind promises."""


class TrackingError(ZooError):
    """The tracking store or a run's folder cannot be used."""

    exit_status = 1


class RunInUse(TrackingError):
    """Another process trains the run; it can be stopped first."""

    exit_status = 2


class TrainingFailed(ZooError):
    """Training could not go on: a device is gone, memory ran out, nothing was found."""

    exit_status = 1


class Diverged(TrainingFailed):
    """The loss is no longer finite, and would not be if the same was trained again."""
