"""The parts joined: an address map, a memory, what moves between them, and how fast.

The fabric moves a beat a cycle over each stream and each memory port. Its time passes with the
accesses of the processor, by as much as each takes through ``pynq.MMIO``, and with the time of this
computer (:mod:`.clock`), so that the fabric also works between accesses.
"""

import threading
from typing import Any, Callable, Dict, Optional

from ..contract import CONTRACT
from .dma import STEP_BEATS, AxiDma
from .engine import Compute, EngineModel, at_once
from .fabric import Fabric
from .memory import Memory
from .parts import LASTING, AxiGpio, AxiIntc, Faults, Part, Slcr

CYCLES_PER_SECOND = 100_000_000
ACCESS_CYCLES = 2700  # of an access from Python: users measured 27 to 42 us on a PYNQ-Z2


class Board:
    """The board without processor and ``pynq``.

    Parameters
    ----------
    fabric : Fabric
    memory : Memory
    faults : Faults
    compute : callable
        How the engine computes, see :class:`~.engine.EngineModel`.
    """

    def __init__(
        self, fabric: Fabric, memory: Memory, faults: Faults, compute: Compute = at_once
    ) -> None:
        self.fabric, self.memory, self.faults = fabric, memory, faults
        self.errors = memory.errors
        self.lock = threading.RLock()
        self.places: Dict[int, Part] = {}  # base addresses of 64 KB
        self.irq: Callable[[bool], None] = lambda level: None  # called with the interrupt's level
        self.slcr = Slcr(faults)
        self.dma: Optional[AxiDma] = None
        self._compute = compute
        self.clear()

    # -- designs ----------------------------------------------------------------------------------

    def clear(self, configuring: bool = False) -> None:
        """Leave the processing system alone, as before the first download and during each."""
        if configuring and self.dma is not None and self.dma.on_the_bus:
            self.errors.record(
                "the fabric was configured in the middle of a transfer of the DMA: "
                "the port to a real board's memory hangs."
            )
        self.configuring = configuring
        self.engine: Optional[EngineModel] = None
        self.dma = None
        self.gpio: Optional[AxiGpio] = None
        self.intc: Optional[AxiIntc] = None
        self.places = {Slcr.BASE: self.slcr}

    def configure(self, ip_dict: Dict[str, Any], interrupt_pins: Dict[str, Any]) -> None:
        """Build the parts of a downloaded design from its description."""
        self.clear()
        self.fabric.reset()
        self.faults.end(*LASTING - {"wrong_digest", "wrong_clock"})
        names: Dict[str, Part] = {}
        for name, entry in ip_dict.items():
            kind = (entry.get("type") or "").split(":")[2:3]
            part = self._part(kind[0] if kind else "", entry)
            if part is not None:
                self.places[entry["phys_addr"]] = names[name] = part
        if self.intc is not None:
            lines: Dict[int, Callable[[], bool]] = {}
            for pin, entry in interrupt_pins.items():
                name, _, output = pin.rpartition("/")
                if name in names:
                    lines[entry["index"]] = _level(names[name], output)
            count = max(lines, default=-1) + 1
            self.intc.inputs = [lines.get(line, _low) for line in range(count)]

    def _part(self, kind: str, entry: Dict[str, Any]) -> Optional[Part]:
        if kind == "axi_dma":
            parameters = entry.get("parameters", {})
            bits = int(parameters.get("c_sg_length_width", 14))
            address_bits = int(parameters.get("c_addr_width", 32))
            self.dma = AxiDma(self.memory, self.faults, bits, address_bits)
            return self.dma
        if kind == "axi_gpio":
            self.gpio = AxiGpio()
            return self.gpio
        if kind == "axi_intc":
            self.intc = AxiIntc()
            return self.intc
        if kind == CONTRACT["engine"]["top"]:
            self.engine = EngineModel(self.fabric, self.faults, self._compute)
            return self.engine
        return None

    # -- the processor's port ---------------------------------------------------------------------

    def hang(self, address: int) -> Optional[str]:
        """Return why an access to a register hangs a real board, or ``None`` if it does not."""
        part, where = self.places.get(address & ~0xFFFF), f"{address & ~0xFFFF:#010x}"
        if part is None:
            why = "the fabric is being configured" if self.configuring else "nothing is there"
            return f"a register at {where} was accessed, but {why}: a real board's bus hangs."
        if part is self.engine and self.engine.in_reset:
            return f"the engine at {where} was accessed while in reset: a real board's bus hangs."
        return None

    def _find(self, address: int) -> Part:
        why = self.hang(address)
        if why is not None:
            raise self.errors.record(why)
        return self.places[address & ~0xFFFF]

    def read(self, address: int) -> int:
        """Return a register, as a read of the processor does."""
        with self.lock:
            self.advance(ACCESS_CYCLES)
            value = self._find(address).read(address & 0xFFFF)
        self.errors.check()
        return value

    def write(self, address: int, value: int) -> None:
        """Write a register and propagate its effects."""
        with self.lock:
            self._find(address).write(address & 0xFFFF, value)
            self.react()
            self.advance(ACCESS_CYCLES)
        self.errors.check()

    # -- time -------------------------------------------------------------------------------------

    def advance(self, cycles: int) -> bool:
        """Let time pass, and return whether anything moved in it."""
        moved = False
        for _ in range(max(1, cycles // STEP_BEATS)):
            if not self._step():
                break
            moved = True
        if moved:
            self.react()
        return moved

    def _step(self) -> bool:
        """Move a step's beats through each place on the way; return whether any moved."""
        engine, dma = self.engine, self.dma
        if dma is None:
            return False
        moved = [dma.land(), dma.reset_step(), dma.fetch()]
        if engine is not None:
            moved += [engine.take(dma), engine.send(dma)]
        return any(moved)

    def react(self) -> None:
        """Update the wires from the registers: the engine's reset, the interrupts."""
        if self.gpio is not None and self.engine is not None:
            if self.gpio.asserted:
                self.engine.reset()
            self.engine.in_reset = self.gpio.asserted
        if self.intc is not None:
            self.intc.update()
        self.irq(self.intc is not None and self.intc.output)


def _level(part: Part, output: str) -> Callable[[], bool]:
    return lambda: part.interrupts()[output]


def _low() -> bool:
    return False
