"""Whether an exported file finds what the network finds: comparison, certificate, self-test."""
