"""The doctor of data sets: most trainings that fail have faults in their data, which show late.

Rules look at the annotation files as they are and at the images, one family of rules a file, and give findings;
``check.validate_splits`` applies them all, ``copy.write_repaired`` writes a copy without what can be fixed.
"""
