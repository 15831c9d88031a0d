"""Natural pre-images of image representations, from the command line."""

__version__ = "0.1.0"
