"""ONNX Runtime tells its maker of each session, unless it is told not to before it is imported: importing this does.

Its packages for Linux do so from 1.31 on, with a lasting number for the machine and a database in ``~/.cache``
(Privacy.md in the package). A camera that watches somebody's home must not. Who wants it sets the variable to 0.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
