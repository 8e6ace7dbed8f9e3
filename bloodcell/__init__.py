"""Fine-tune image classifiers over a grid of configurations and report what the figures support."""

__version__ = "0.1.0"
