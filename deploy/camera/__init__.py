"""The camera service: sources, pipeline, events, sinks, web page."""
