"""The demo's own agents folder: a seed and an end date in, realistic run folders on the disk out."""

from .folder import DemoFolder, PlantedFindings, make_agents_folder

__all__ = ["DemoFolder", "PlantedFindings", "make_agents_folder"]
