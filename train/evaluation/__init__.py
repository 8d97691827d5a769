"""What a network finds on annotated images: AP, operating point, report."""
