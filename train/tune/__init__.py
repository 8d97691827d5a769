"""Search for better settings: many short trainings, the hopeless of which end early."""
