"""From a picture to codes whose synthesis is close to it: methods with one signature, one measure, one record."""
