"""Times of networks and trainings."""
