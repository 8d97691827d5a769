"""What a camera sees now: python examples/camera_loop.py 0 [MODEL]; also csi, an rtsp:// address, or a video file."""

import sys
import time
from contextlib import closing, suppress

from fusedet import Detector
from fusedet.deploy.camera.sources import SourceSettings, open_source

source = sys.argv[1]
detector = Detector(sys.argv[2] if len(sys.argv) > 2 else "nano")

# Asked of a camera, which gives what it can. open_source(..., patient=True) would open one that fails anew, for ever.
settings = SourceSettings(width=1280, height=720, fourcc="MJPG")

with suppress(KeyboardInterrupt), closing(open_source(source, settings)) as frames:
    for frame in frames:  # of a camera the newest frame, whatever was too old is left out; of a file every frame
        found = detector(frame.image)
        age_ms = 1000 * (time.monotonic() - frame.captured_s)
        print(f"frame {frame.index}: {', '.join(found.labels) or 'nothing'} ({age_ms:.0f} ms after it was captured)")
