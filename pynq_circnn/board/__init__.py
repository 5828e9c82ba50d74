"""The driver of the hardware engine on a Zynq board under PYNQ.

:mod:`.packets` says what goes over the streams, :mod:`.link` moves it by DMA, :mod:`.engine` keeps
programs and buffers and binds itself to the design's engine under ``pynq``, :mod:`.overlay` finds
and loads the bitstream. Only the last two import ``pynq``, and nothing imports them unasked.
"""
