"""Where images come from: files, videos, cameras and addresses, all read in the same way.

A source is a :class:`Source`: iterate over it for :class:`Frame`, then close it.

    source = open_source("rtsp://camera.local/stream")
    for frame in source:
        print(frame.index, frame.image.shape)
"""

from fusedet.deploy.camera.sources.files.contents import VIDEO_SUFFIXES, is_video
from fusedet.deploy.camera.sources.files.images import IMAGE_SUFFIXES, Images, count_images, read_image
from fusedet.deploy.camera.sources.frame import Frame, Source, SourceHealth
from fusedet.deploy.camera.sources.open import open_source
from fusedet.deploy.camera.sources.settings import SourceSettings

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Frame",
    "Images",
    "Source",
    "SourceHealth",
    "SourceSettings",
    "count_images",
    "is_video",
    "open_source",
    "read_image",
]
