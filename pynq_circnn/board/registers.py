"""Offsets and bits of the registers that the driver touches, with their sources."""

from ..contract import ENGINE

ENGINE_VLNV: str = ENGINE["vlnv"]
START, IDLE = 1, 4  # of the engine's control register (ap_ctrl_hs, UG1399)

# AXI DMA in direct register mode (PG021, chapter 2, "Register Space")
DMA_VLN = "xilinx.com:ip:axi_dma"
DMA_CONTROL, DMA_STATUS, DMA_ADDRESS, DMA_ADDRESS_HIGH, DMA_LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
SEND, RECEIVE = 0x00, 0x30  # MM2S and S2MM
DMA_RUN, DMA_RESET = 1 << 0, 1 << 2
DMA_INTERRUPTS = 1 << 12 | 1 << 14  # in control: enabled; in status: raised (IOC, errors)
DMA_HALTED, DMA_IDLE, DMA_DONE = 1 << 0, 1 << 1, 1 << 12
DMA_CLEAR = 0x7000  # writing ones clears the interrupt bits
DMA_ERRORS = {
    1 << 4: ("dma_internal_error", "DMAIntErr"),
    1 << 5: ("dma_slave_error", "DMASlvErr"),
    1 << 6: ("dma_decode_error", "DMADecErr"),
}
DMA_ERROR_MASK = 0x70
DMA_LENGTH_BITS: int = ENGINE["dma_length_bits"]  # of a transfer's bytes
DMA_LENGTH_MASK = (1 << DMA_LENGTH_BITS) - 1

# AXI GPIO (PG144) that holds the engine in reset while bit 0 is one (hw/design.json)
GPIO_VLN = "xilinx.com:ip:axi_gpio"
GPIO_DATA = 0x0

NAMES = {
    "MM2S_DMACR": SEND + DMA_CONTROL,
    "MM2S_DMASR": SEND + DMA_STATUS,
    "MM2S_SA": SEND + DMA_ADDRESS,
    "MM2S_LENGTH": SEND + DMA_LENGTH,
    "S2MM_DMACR": RECEIVE + DMA_CONTROL,
    "S2MM_DMASR": RECEIVE + DMA_STATUS,
    "S2MM_DA": RECEIVE + DMA_ADDRESS,
    "S2MM_LENGTH": RECEIVE + DMA_LENGTH,
}
SHOWN_OF_ENGINE = (
    "control",
    "status",
    "detail",
    "samples",
    "beats_in",
    "beats_out",
    "configuration",
)
RESERVED = 1 << 31  # of control, status and length registers: ignored
