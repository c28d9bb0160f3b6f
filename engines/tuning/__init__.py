"""Near-perfect inversion: the generator itself is tuned for one picture, and what it took is kept on disk."""
