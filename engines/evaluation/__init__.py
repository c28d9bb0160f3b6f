"""The tables: generator, predictors, inversion and edits, judged on pictures nobody trained on; and how fast it all is."""
