"""sassay: review what GPU kernels became after lowering.

The public Python API is what this module exports; everything else may move between releases.
"""

__version__ = "0.1.0"
