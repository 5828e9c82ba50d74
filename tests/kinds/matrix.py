from pynq_circnn import layers as L

from . import sampler


@sampler("Dense")
def dense(draw):
    if len(draw.shape) != 1:
        return None
    units = int(draw.rng.integers(1, 2 * draw.block + 10))
    return L.Dense(draw.name, (draw.source,), units=units, block=draw.block, **draw.activated)


@sampler("Conv2D")
def conv(draw):
    if not draw.is_image:
        return None
    filters = int(draw.rng.integers(1, 2 * draw.block + 6))
    kernel = draw.pair(3)
    more = {"block": draw.block, **draw.window, **draw.activated}
    return L.Conv2D(draw.name, (draw.source,), filters=filters, kernel_size=kernel, **more)
