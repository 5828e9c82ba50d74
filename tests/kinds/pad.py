from pynq_circnn import layers as L

from . import sampler


@sampler("ZeroPadding2D")
def zero_padding(draw):
    if draw.is_image:
        top, bottom, left, right = draw.rng.integers(0, 3, 4).tolist()
        return L.ZeroPadding2D(draw.name, (draw.source,), ((top, bottom), (left, right)))
