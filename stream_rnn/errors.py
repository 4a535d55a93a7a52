"""The project's errors: one root, and users' mistakes kept apart from our own failures.

Every error that may reach a person carries a sentence that says what was wrong,
where, and what to do. `ProtocolError` adds what a program needs: a code from the
protocol's list and the field at fault.
"""


class StreamRnnError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigError(StreamRnnError):
    """A configuration file or a command-line value cannot be used."""


class DataError(StreamRnnError):
    """A corpus, a MIDI file or a text cannot be read or encoded."""


class CheckpointError(StreamRnnError):
    """A model folder is missing, damaged, or at odds with itself."""


class TrainingError(StreamRnnError):
    """A training run cannot go on."""


class EngineError(StreamRnnError):
    """The engine could not be started, or died."""


class ProtocolError(StreamRnnError):
    """The peer asked for something that cannot be done.

    Attributes:
        code: one of the protocol's error codes, such as `unknown_model`.
        field: the message field at fault, as a path (`controls.temperature`), if one is.
        retry_after: seconds after which the same may be possible, if waiting helps.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after = retry_after
