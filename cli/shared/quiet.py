"""Keeps OpenCV and FFmpeg from talking: what they tell at length is said in one line here, and without passwords."""

import os


def silence_opencv() -> None:
    """Call it before OpenCV is imported, which reads this when it loads. What the user has set stays."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
