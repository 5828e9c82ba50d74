from pynq_circnn import layers as L

from . import sampler


@sampler("ScaleBias")
def scale_bias(draw):
    return L.ScaleBias(draw.name, (draw.source,), **draw.activated)


@sampler("Add")
def add(draw):
    other = draw.other(lambda shape: shape == draw.shape)
    return L.Add(draw.name, (draw.source, other), **draw.activated)
