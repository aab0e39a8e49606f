"""The wing that compiles kernels named in a manifest, without a GPU and without torch."""

from sassay.build.compile import CompileRun, compile_manifest
from sassay.build.launchable import launch_warnings
from sassay.build.load import load_manifest
from sassay.build.manifest import Manifest

__all__ = ["CompileRun", "Manifest", "compile_manifest", "launch_warnings", "load_manifest"]
