from pynq_circnn import layers as L

from . import sampler


@sampler("Concatenate")
def concatenate(draw):
    other = draw.other(lambda shape: shape[:-1] == draw.shape[:-1])
    return L.Concatenate(draw.name, (draw.source, other), **draw.activated)
