"""The notebooks that ``pynq get-notebooks pynq_circnn`` delivers."""
