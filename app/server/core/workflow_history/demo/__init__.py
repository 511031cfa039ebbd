"""Generate an agents directory for demos: a seed and an end date in, realistic runs on disk out."""

from .folder import DemoFolder, PlantedFindings, make_agents_folder

__all__ = ["DemoFolder", "PlantedFindings", "make_agents_folder"]
