"""Front ends: from a trained model of a framework to a network of this package.

All of them use :mod:`~pynq_circnn.frontends.builder`, which makes the network, and
:mod:`~pynq_circnn.frontends.conversion`, which quantises it and compares it with its source.
What knows one framework is in a package of its own, such as :mod:`~pynq_circnn.frontends.keras`.
"""
