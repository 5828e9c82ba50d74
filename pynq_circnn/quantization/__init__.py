"""From a float network and calibration data to 16-bit integers."""
