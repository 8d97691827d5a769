"""How weights change: optimizers and averaged weights."""
