"""What can be wrong with what a person asked for. Each message is one sentence for that person.

Apart from the code that raises them, because errors travel from a worker to the page process, which has no torch.
"""


class SpecError(ValueError):
    """A setting that cannot be trained; `field` names it."""

    def __init__(self, field: str, message: str):
        super().__init__(message)
        self.field = field

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.field, str(self))


class LevelsError(ValueError):
    """A number of grey levels to which a decoder gives no probability."""


class DataError(Exception):
    """A data set that cannot be had."""


class DownloadStoppedError(DataError):
    """Nobody wants the data set any more, before it was here."""


class CheckpointError(Exception):
    """Saved weights that cannot be read."""


class StoreError(Exception):
    """The store of runs cannot be used now."""


class DamagedStoreError(StoreError):
    """What is in the store's file is no database any more."""


class KeptError(Exception):
    """What cannot be done with a run that is kept."""


class LineError(Exception):
    """No room in the line of runs that wait to be trained."""
