"""Editing as a pure function of a state: what is painted, what the predictors say, which packs there are."""
