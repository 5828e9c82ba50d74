"""The package's own exceptions; a wrong argument is a plain ``ValueError`` or ``TypeError``."""

import os
import sys
import warnings
from typing import Any, Dict, Optional, Sequence, Type

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class CircnnError(Exception):
    """Base of every error that is not about an argument."""


class ModelFileError(CircnnError):
    """A ``.circnn`` file that is damaged, of another version, or not a model."""


class ProgramError(CircnnError):
    """A program that breaks the layout or the limits of the contract."""


class CompileError(CircnnError):
    """A network that does not fit the engine configuration it is compiled for.

    Attributes
    ----------
    overflows : list of str
        One line for each limit that is exceeded, with the excess.
    """

    def __init__(self, message: str, overflows: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.overflows = list(overflows)


class ConversionError(CircnnError):
    """A converted network that does not compute what its source computes."""


class BackendError(CircnnError):
    """A back end that is unknown to this installation, or cannot run here."""


class BoardError(BackendError):
    """A failure of the board, its engine or its DMA, or a board that is unavailable.

    Attributes
    ----------
    cause : str
        A fixed name that a program can compare, such as ``lost_tlast``; the message explains it.
    registers : dict
        The values of the registers when the error occurred, by name.
    """

    def __init__(self, cause: str, message: str, registers: Optional[Dict[str, int]] = None):
        self.cause = cause
        self.registers = dict(registers or {})
        shown = ", ".join(f"{name}={value:#x}" for name, value in self.registers.items())
        super().__init__(message + (f" Registers: {shown}." if shown else ""))

    def __reduce__(self) -> Any:
        return _board_error, (self.cause, str(self), self.registers)


def _board_error(cause: str, text: str, registers: Dict[str, int]) -> BoardError:
    error = BoardError(cause, text)
    error.registers = registers
    return error


class CalibrationWarning(UserWarning):
    """Calibration data that represent the network's later inputs poorly."""


class SaturationWarning(UserWarning):
    """Values beyond the calibrated range, which are limited to it."""


def warn_user(message: str, category: Type[Warning] = UserWarning) -> None:
    """Warn, and attribute the warning to the calling line outside this package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


class NotFiniteError(ValueError):
    """Input that contains NaN or infinity; ``sample`` is the index of the first such sample."""

    def __init__(self, sample: int) -> None:
        super().__init__(
            "x must be finite. Received: NaN or infinity "
            f"in sample {sample}. Replace it, for example by numpy.nan_to_num."
        )
        self.sample = sample
