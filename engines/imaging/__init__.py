"""Pictures: reading uploads safely, conversion, faces, alignment, paste-back, grids."""
