from pynq_circnn import layers as L

from . import sampler


@sampler("MaxPool2D")
def max_pool(draw):
    if draw.is_image:
        return L.MaxPool2D(draw.name, (draw.source,), pool_size=draw.pair(3), **draw.window)
