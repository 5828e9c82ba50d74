"""The emulated PYNQ-Z2 as a ``pynq.Device``."""

import hashlib
import itertools
import json
import os
import shutil
import tempfile
import time
from typing import Any, Dict, List, Optional

import numpy as np
import pynq.interrupt
from pynq.buffer import PynqBuffer
from pynq.interrupt import _InterruptController
from pynq.pl_server.device import Device
from pynq.ps import Clocks, _ClocksZynq

from .board import Board
from .clock import Clock
from .fabric import Fabric
from .mapped import Mapping
from .memory import BASE, SIZE, Block, BusError, Memory
from .parts import Faults
from .uio import Uio
from .uninterrupted import uninterrupted

UIO_INTERRUPT = 61  # IRQ_F2P[0] of a Zynq-7000 (UG585, table 7-4)
HWH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "circnn.hwh")
PLACEHOLDER = b"a placeholder for the emulated board: there is no bitstream in this file\n"
_DOWNLOAD_SECONDS = (
    0.005  # long enough for accesses meanwhile to be noticed; 4 MB take some 30 ms on the board
)
_numbers = itertools.count()
# pynq's files of other boards' interrupts: to close them takes the event loop that made them
_retired: List[Any] = []
_real_uio_irq = pynq.interrupt.get_uio_irq


def _uio_irq(number: int) -> Any:
    """Return what to open for an interrupt, as pynq's function does with Linux's tables."""
    device = Device.active_device
    if not isinstance(device, EmulatedDevice):
        return _real_uio_irq(number)
    return device.uio.open() if number == UIO_INTERRUPT else None


class EmulatedDevice(Device):  # type: ignore[misc]
    """A PYNQ-Z2 whose fabric is a model.

    Parameters
    ----------
    fabric : Fabric
        What computes in the place of the engine.
    hwh : str, optional
        The design's handoff file; the one that comes with the package if left out.
    mapped : bool
        Whether the registers are memory, served by a thread, as on the board, so that compiled
        code can drive them; else every access is a call.
    memory_base, memory_bytes : int
        Contiguous memory; on a board with more than 2 GiB it lies beyond 4 GiB.
    whole_buffers : bool, optional
        Whether a flush or invalidate moves the whole buffer whatever piece is asked for, as pynq
        3.1 does.

    Attributes
    ----------
    board : Board
    faults : Faults
    bus_errors : BusErrors
        What a real board would not have survived. The next use of the device raises it, and
        :meth:`close` raises it again, even if it was caught before.
    reads, writes : int
        Register accesses so far, through ``MMIO``; those of compiled code cannot be counted.
    """

    emulated = True

    def __init__(
        self,
        fabric: Fabric,
        hwh: Optional[str] = None,
        mapped: bool = False,
        memory_base: int = BASE,
        memory_bytes: int = SIZE,
        whole_buffers: bool = True,
        tag: Optional[str] = None,
    ) -> None:
        super().__init__(tag or f"emulated-{os.getpid()}-{next(_numbers)}")
        self.name = "Pynq-Z2"
        self.arch = "armv7l"
        self.capabilities = {"MEMORY_MAPPED": mapped, "REGISTER_RW": not mapped}
        self.faults = Faults()
        self.memory = Memory(memory_base, memory_bytes)
        self.bus_errors = self.memory.errors
        self._clock = Clock()
        self.board = Board(fabric, self.memory, self.faults, self._clock.compute)
        self.reads = self.writes = 0
        self.timestamp = ""
        self._mapping = Mapping(
            self.board,
            lambda address: int.from_bytes(self.read_registers(address, 4), "little"),
            lambda address, value: self.write_registers(address, value.to_bytes(4, "little")),
        )
        self._clock.attach(self.board, self._mapping)
        self._whole_buffers = whole_buffers
        self.uio = Uio()
        self.board.irq = self.uio.drive
        self._folder = tempfile.mkdtemp(prefix="circnn-emulated-")
        self.bitfile = os.path.join(self._folder, "circnn.bit")
        self.state_file = os.path.join(self._folder, "global_pl_state.json")
        self.fpga_state = "unknown"  # as the FPGA manager says after a boot
        with open(self.bitfile, "wb") as file:
            file.write(PLACEHOLDER)
        shutil.copyfile(hwh or HWH, os.path.join(self._folder, "circnn.hwh"))

    # -- the interface that pynq expects of a device --------------------------------------------

    def activate(self) -> None:
        """Make this device the one that pynq's global parts (clocks, interrupts) use."""
        Device.active_device = self
        pynq.interrupt.get_uio_irq = _uio_irq
        if UIO_INTERRUPT in _InterruptController._uio_devices:
            _retired.append(_InterruptController._uio_devices.pop(UIO_INTERRUPT))
        _InterruptController._controllers.clear()
        if hasattr(Clocks, "set_device"):
            Clocks.set_device(self)
            Clocks._real_instance = _ClocksZynq(device=self)
        else:  # pynq 3.0
            Clocks._real_instance = _ClocksZynq()

    def read_registers(self, address: int, length: int) -> bytes:
        """Return registers as bytes."""
        self.reads += 1
        with uninterrupted(), self.board.lock:
            self._mapping.collect()
            words = [self.board.read(address + i) for i in range(0, length, 4)]
            self._mapping.publish()
        return np.array(words, dtype="<u4").tobytes()

    def write_registers(self, address: int, data: bytes) -> None:
        """Write registers from bytes."""
        self.writes += 1
        with uninterrupted(), self.board.lock:
            self._mapping.collect()
            for i, word in enumerate(np.frombuffer(bytes(data), dtype="<u4")):
                self.board.write(address + 4 * i, int(word))
            self._mapping.publish()
            self._clock.wake()

    def mmap(self, base_addr: int, length: int) -> np.ndarray:
        """Return registers as memory."""
        self.bus_errors.check()
        with uninterrupted(), self.board.lock:
            words = self._mapping.page(base_addr, length)
            self._clock.wake()
        return words

    def allocate(self, shape: Any, dtype: Any, **kwargs: Any) -> PynqBuffer:
        """Return a buffer of contiguous memory."""
        self.bus_errors.check()
        if self.faults.take("allocation"):
            raise RuntimeError("BO allocation failed: Cannot allocate memory")
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        try:
            with uninterrupted():
                block = self.memory.allocate(nbytes)
        except MemoryError as error:
            raise RuntimeError(f"BO allocation failed: {error}") from error
        return PynqBuffer(
            shape,
            dtype,
            buffer=self.memory.cpu.data,
            offset=block.offset,
            device=self,
            device_address=self.memory.base + block.offset,
            bo=block,
            coherent=False,
        )

    def flush(self, bo: Block, offset: int, vaddr: int, nbytes: int) -> None:
        """Bring a buffer from the processor to the memory."""
        self.bus_errors.check()
        self.memory.flush(*self._extent(bo, offset, nbytes))

    def invalidate(self, bo: Block, offset: int, vaddr: int, nbytes: int) -> None:
        """Bring a buffer from the memory to the processor."""
        self.memory.invalidate(*self._extent(bo, offset, nbytes))
        self.bus_errors.check()

    def _extent(self, bo: Block, offset: int, nbytes: int) -> Any:
        return (bo.offset, bo.nbytes) if self._whole_buffers else (bo.offset + offset, nbytes)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return what pynq's parser finds in the handoff file beside the bitstream."""
        from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
        from pynqmetadata.frontends import Metadata

        parser = RuntimeMetadataParser(Metadata(input=os.path.splitext(bitfile_name)[0] + ".hwh"))
        parser.refresh_hierarchy_dict()
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Build the parts of the design."""
        self.bus_errors.check()
        self.gen_cache(bitstream, parser)  # pynq records it before it loads
        if self.faults.take("download"):
            self.fpga_state = "write error"
            raise OSError(5, "Input/output error", "/sys/class/fpga_manager/fpga0/firmware")
        with uninterrupted():  # as the kernel does it
            with self.board.lock:
                self.board.clear(configuring=True)
                self._mapping.publish()
            time.sleep(_DOWNLOAD_SECONDS)
            with self.board.lock:
                self.board.configure(parser.ip_dict, parser.interrupt_pins)
                self._mapping.renew()
            self.fpga_state = "operating"
        self.post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Record what is loaded as ``pynq`` does, in a file of this board's own."""
        with open(bitstream.bitfile_name, "rb") as file:
            digest = hashlib.sha1(file.read()).hexdigest()
        state = {"bitfile_name": str(bitstream.bitfile_name), "bitfile_hash": digest}
        with open(self.state_file, "w", encoding="utf-8") as file:
            json.dump(state, file)

    def shutdown(self) -> None:
        """Shut nothing down: the design has no shutdown manager."""

    def close(self) -> None:
        """End the threads and remove the files.

        Raises
        ------
        BusError
            If anything happened that a real board would not have survived.
        """
        self._clock.close()
        self._mapping.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        errors = self.bus_errors.take()
        if errors:
            raise BusError(" ".join(errors))

    @property
    def usage(self) -> Dict[str, int]:
        """Return buffers and bytes of contiguous memory in use."""
        return {"buffers": self.memory.blocks, "bytes": self.memory.used_bytes}
