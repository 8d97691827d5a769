"""What several commands need: arguments, files, silence."""
