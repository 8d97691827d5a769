"""The commands about model files: export, fuse, check, lint, bundle."""
