"""Where bitstreams lie, for ``pynq`` (entry point ``pynq.overlays``) and for the package."""
