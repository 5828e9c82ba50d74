"""From a trained model of a framework to a network of this package."""
