"""The package's own exceptions; a wrong argument is a plain ``ValueError`` or ``TypeError``."""


class CircnnError(Exception):
    """Base of every error that is not about an argument."""


class ModelFileError(CircnnError):
    """A ``.circnn`` file that is damaged, of another version, or not a model."""


class ProgramError(CircnnError):
    """A program that breaks the layout or the limits of the contract."""


class CompileError(CircnnError):
    """A network that does not fit the engine configuration it is compiled for."""


class BackendError(CircnnError):
    """A back end that is unknown to this installation, or cannot run here."""
