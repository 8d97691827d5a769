"""Where results go.

Those that send over a network are imported by their modules, ``fusedet.deploy.camera.sinks.mqtt.sink`` and
``.webhook``.
"""

from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.files.annotated import AnnotatedImages, AnnotatedVideo
from fusedet.deploy.camera.sinks.files.event_images import EventImages
from fusedet.deploy.camera.sinks.files.folders import new_folder
from fusedet.deploy.camera.sinks.files.json_lines import JsonLines, RotatingJsonLines
from fusedet.deploy.camera.sinks.files.segmented_video import SegmentedVideo
from fusedet.deploy.camera.sinks.record import to_camera_record, to_record
from fusedet.deploy.camera.sinks.window import Window, WindowClosed

__all__ = [
    "AnnotatedImages",
    "AnnotatedVideo",
    "EventImages",
    "JsonLines",
    "RotatingJsonLines",
    "SegmentedVideo",
    "Sink",
    "Window",
    "WindowClosed",
    "new_folder",
    "to_camera_record",
    "to_record",
]
