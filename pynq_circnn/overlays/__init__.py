"""The bitstreams of the package by board; ``pynq.Overlay("circnn.bit")`` resolves to here."""
