"""Ingredients of the recipe, one at a time."""
