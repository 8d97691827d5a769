"""What every package needs: errors, files that appear whole, text. Standard library only, but for pages (Jinja2)."""
