"""Optimisers of any function of N candidates at once: endless steps, which :mod:`.follow` bounds by a budget."""
