"""Voxels with geometry: planes are stacked into volumes, phases are brought onto one grid. Pure."""
