"""The demo's own agents folder: a seed and an end date in, realistic run folders on the disk out."""

from .folder import DemoFolder, Planted, make_agents_folder

__all__ = ["DemoFolder", "Planted", "make_agents_folder"]
