"""Trainings that are made to be measured: what parts of a method do, and what it costs."""
