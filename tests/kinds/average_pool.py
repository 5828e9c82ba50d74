from pynq_circnn import layers as L

from . import sampler


@sampler("AveragePool2D")
def average_pool(draw):
    if draw.is_image:
        return L.AveragePool2D(draw.name, (draw.source,), pool_size=draw.pair(3), **draw.window)


@sampler("GlobalAveragePool2D")
def global_average_pool(draw):
    if draw.is_image:
        return L.GlobalAveragePool2D(draw.name, (draw.source,))
