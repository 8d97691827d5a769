"""Prints the events of `fusedet run`: python examples/mqtt_consumer.py broker.local [PORT]; needs paho-mqtt only."""

import json
import sys
from collections import deque
from contextlib import suppress

from paho.mqtt import client as mqtt

last_ids = deque(maxlen=10_000)


def on_message(client, userdata, message):
    """One event; the broker may bring it twice, but its id stays the same."""
    event = json.loads(message.payload)
    if event["id"] not in last_ids:
        last_ids.append(event["id"])
        print("{camera}: {label} {track}: {kind} {place}".format(**event), event["direction"] or "", flush=True)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)  # client.username_pw_set(user, password) where asked for
client.on_message = on_message
client.on_connect = lambda client, *_: client.subscribe("fusedet/+/events", qos=1)  # after each reconnection, too
try:
    client.connect(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1883)
except OSError as error:
    sys.exit(f"{':'.join(sys.argv[1:])}: no broker answers there: {error}")
with suppress(KeyboardInterrupt):
    client.loop_forever()
