"""The engine of the Latent Wasserstein Editor: packs, inversion, edits, training and evaluation.

Scripts and the page use :mod:`engines.api`; ``python -m engines COMMAND`` is the command line.
Nothing here imports a user interface.
"""
