from pynq_circnn import layers as L

from . import sampler


@sampler("ScaleBias")
def scale_bias(draw):
    return L.ScaleBias(draw.name, (draw.source,), **draw.activated)
