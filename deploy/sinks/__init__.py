"""Where results go.

Those that send over a network are imported by their modules, ``fusedet.deploy.sinks.mqtt`` and ``.webhook``.
"""

from fusedet.deploy.sinks.base import Sink
from fusedet.deploy.sinks.event_pictures import EventPictures
from fusedet.deploy.sinks.folders import new_folder
from fusedet.deploy.sinks.json_lines import JsonLines
from fusedet.deploy.sinks.pictures import AnnotatedPictures
from fusedet.deploy.sinks.record import to_camera_record, to_record
from fusedet.deploy.sinks.rotating import RotatingJsonLines
from fusedet.deploy.sinks.segmented_video import SegmentedVideo
from fusedet.deploy.sinks.video import AnnotatedVideo
from fusedet.deploy.sinks.window import Window, WindowClosed

__all__ = [
    "AnnotatedPictures",
    "AnnotatedVideo",
    "EventPictures",
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
