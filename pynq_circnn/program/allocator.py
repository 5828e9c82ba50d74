"""Allocation of tensors in the activation memory."""

from typing import Dict, List, Tuple

from ..contract import ceil_div
from ..layers.base import Layer, Shape, size_of

ALIGN_WORDS = 8  # tensors, and on hardware the arrays of sections, begin at whole beats


def allocate(layers: Tuple[Layer, ...], shapes: Dict[str, Shape]) -> Tuple[Dict[str, int], int]:
    """Return the address of every layer's output, and the words that the memory needs.

    A tensor lives from the layer that writes it to the last that reads it, itself included, so
    that no layer overwrites its inputs; each takes the first gap that is wide enough.  Layers that
    are not instructions, which are views and the final softmax, share their input's place.
    """
    owner: Dict[str, str] = {}
    for layer in layers:
        shared = layer.inputs and not layer.operation  # a view, or the softmax of the host
        owner[layer.name] = owner[layer.inputs[0]] if shared else layer.name
    last_use = {}
    for position, layer in enumerate(layers):
        for name in (layer.name, *layer.inputs):
            last_use[owner[name]] = position
    last_use[owner[layers[-1].name]] = len(layers)

    addresses: Dict[str, int] = {}
    live: List[Tuple[int, int, str]] = []  # begin, end, owner
    needed = 0
    for position, layer in enumerate(layers):
        if owner[layer.name] == layer.name:
            live = [place for place in live if last_use[place[2]] >= position]
            size = ceil_div(size_of(shapes[layer.name]), ALIGN_WORDS) * ALIGN_WORDS
            begin = 0
            for other, end, _ in sorted(live):
                if begin + size <= other:
                    break
                begin = max(begin, end)
            live.append((begin, begin + size, layer.name))
            needed = max(needed, begin + size)
            addresses[layer.name] = begin
        else:
            addresses[layer.name] = addresses[owner[layer.name]]
    return addresses, needed
