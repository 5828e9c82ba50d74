"""The front end for Keras; import it as :mod:`pynq_circnn.keras`."""

from ... import keras_backend

keras_backend.choose()
