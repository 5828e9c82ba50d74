"""The driver of the hardware engine on a Zynq board under PYNQ.

:mod:`.link` moves packets by DMA, :mod:`.driver` keeps programs and buffers, :mod:`.ip` binds the
driver to the design's engine under ``pynq``, and :mod:`.overlay` finds and loads the bitstream.
Only the last two import ``pynq``, and they are imported only when they are needed.
"""
