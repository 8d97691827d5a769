"""The report of a training as one page, and the comparison of several trainings."""
