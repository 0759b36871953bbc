"""Which device and which precision: chosen by what the machine has, and said aloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from counterstain.errors import InvalidInputError

__all__ = ["Machine", "choose_machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a network is trained and in which precision.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    precision : str
        Precision of the matrix products in training; inference and inversion stay in float32.
    description : str
        One line for the terminal and the report.
    """

    device: str
    precision: Literal["32-true", "bf16-mixed"]
    description: str


def _cpu_multiplies_bf16() -> bool:
    """Whether bfloat16 products run in hardware; elsewhere they are emulated and slower."""
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


def choose_machine(device: str = "auto") -> Machine:
    """Choose the device (CUDA, then MPS, then CPU) and the precision that pays on it.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        A device by name, or the best there is.

    Raises
    ------
    InvalidInputError
        If a device is asked for that the machine does not have.

    Examples
    --------
    >>> choose_machine("cpu").device
    'cpu'
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    chosen = next(name for name in present if present[name]) if device == "auto" else device
    if not present.get(chosen, False):
        raise InvalidInputError(
            f"`run.device` must be a device of this machine; got {device!r}, which is not there: "
            "use 'auto'."
        )
    if chosen == "cuda":
        fast = torch.cuda.is_bf16_supported()
        name = torch.cuda.get_device_name()
    else:
        fast = chosen == "cpu" and _cpu_multiplies_bf16()
        name = f"{torch.get_num_threads()} threads" if chosen == "cpu" else "Apple GPU"
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed" if fast else "32-true"
    words = "bfloat16 products" if fast else "float32"
    return Machine(chosen, precision, f"{chosen} ({name}, training in {words})")
