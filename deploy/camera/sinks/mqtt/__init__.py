"""The sink that publishes to an MQTT broker."""
