"""The camera runtime: what it costs, whether it counts right, how long it lasts."""
