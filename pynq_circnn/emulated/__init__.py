"""A PYNQ-Z2 without the silicon, under the real and unmodified ``pynq`` package.

Everything that the driver touches is here as a model: registers of the AXI DMA, the interrupt
controller, the GPIO that resets the engine and the clocks (:mod:`.parts`), DDR memory as the CPU
and as the fabric see it (:mod:`.memory`), and the engine itself, which is the HLS source compiled
with g++ (:mod:`.fabric`). :mod:`.device` makes a ``pynq.Device`` of them.

Where model and board differ, the model is wrong.
"""
