"""What every package needs, with the standard library alone: errors, files that appear whole, text, pages."""
