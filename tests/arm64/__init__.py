"""The runtime under an emulated ARM core: the packages that a board installs, without a board."""
