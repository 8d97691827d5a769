"""The checks of a data set, by what they look at."""
