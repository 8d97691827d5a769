"""The camera runtime: sources, pipeline, events, sinks, web page."""
