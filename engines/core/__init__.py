"""What every layer stands on: errors, progress and cancelling, seeds, shapes, paths, atomic files."""
