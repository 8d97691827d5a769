"""``fusedet run``: the camera service, which runs on live cameras until it is stopped."""

import argparse
import logging
import os
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from fusedet.cli.camera.check import check_config, check_places, errors_naming
from fusedet.cli.camera.parts import check_classes, make_detector, make_pipeline
from fusedet.cli.camera.reload import Reloader, save_places
from fusedet.cli.shared.process import log_to_stderr, on_stop_signals
from fusedet.common.errors import InputError
from fusedet.common.memory import share_arenas
from fusedet.common.text import counted

if TYPE_CHECKING:
    from fusedet.configs.camera.config import CameraConfig
    from fusedet.deploy.camera.events.places import Places
    from fusedet.deploy.camera.pipeline.pipeline import Pipeline
    from fusedet.deploy.camera.sinks import Window

_log = logging.getLogger(__name__)

#: Exit code when detection hangs: only a new process helps, which a service manager starts (EX_SOFTWARE of sysexits.h).
HUNG = 70
_TICK_S = 0.25
_LOOK_EVERY_S = 1.0
_TELL_EVERY_S = 1.0

_EPILOG = """\
CONFIG is a YAML file with cameras, or one source: a camera number, /dev/video0, csi, an rtsp:// or http:// address, a
video or a folder. Settings follow as key=value:

  fusedet run camera.yaml
  fusedet run 0 --serve
  fusedet run rtsp://camera.local/stream model=models/best.zip score=0.4 \\
    outputs.events.path=events.jsonl

A change of the YAML's model, score, duplicate_iou, classes, zones and lines, and a new model file in the old one's
place, are taken over while it runs. Ctrl-C, SIGTERM or SIGHUP, which a closed terminal sends, ends it: what was found
is written, every output is closed.

exit codes: 0 stopped, or every source has ended; 1 a source ended by an error, or a video is cut off or damaged; 2 bad
input; 70 detection hung, start it again (a service does).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("config", metavar="CONFIG", help="YAML file, or a source")
    parser.add_argument("settings", metavar="KEY=VALUE", nargs="*", default=[], help="instead of what the file says")
    parser.add_argument("--serve", action="store_true", help="the web page at http://127.0.0.1:8000")
    parser.add_argument("--show", action="store_true", help="show the cameras in a window; q or Esc stops")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after so long")
    parser.add_argument("--check", action="store_true", help="check all that needs no connection, and stop")


def run(args: argparse.Namespace) -> int:
    """Runs until it is stopped; returns the exit code."""
    from fusedet.configs.reader.variables import expand

    share_arenas()
    # systemd's journal has the time already
    log_to_stderr("%(message)s" if "JOURNAL_STREAM" in os.environ else "%(asctime)s %(message)s")
    if args.seconds is not None and not args.seconds > 0:
        raise InputError(f"--seconds must be above 0, but got {args.seconds}")
    is_file = args.config.endswith((".yaml", ".yml")) and "://" not in args.config
    path = Path(args.config) if is_file else None
    overrides = _overrides(args)
    written = _load(args.config, path, overrides)
    config = expand(written)
    file = errors_naming(str(path)) if path is not None else nullcontext()
    if args.check:
        with file:
            detector = check_config(config)
            check_places(config)
        cameras = ", ".join(config.cameras)
        classes = counted(len(detector.names), "class", "classes")
        print(f"{args.config}: well; cameras: {cameras}; {config.model}: {classes}")
        return 0

    def save(camera: str, places: "Places") -> None:
        if path is not None:
            save_places(path, camera, places)

    with file:
        detector = make_detector(config)
        check_classes(config, detector.names)
        pipeline = make_pipeline(config, detector, save)
    return _watch(pipeline, config, Reloader(pipeline, written, path, overrides), args.seconds)


def _overrides(args: argparse.Namespace) -> list[str]:
    """What the command line sets, as ``key=value``."""
    serve = ["serve={}"] if args.serve else []  # first, so that settings of serve come after it
    show = ["outputs.window=true"] if args.show else []
    return [*serve, *args.settings, *show]


def _load(text: str, path: Path | None, overrides: list[str]) -> "CameraConfig":
    """The config of the YAML file at ``path``, or of the one source ``text``."""
    from fusedet.configs.camera.config import CameraConfig, load_camera_config
    from fusedet.configs.reader.loader import ConfigTree, override
    from fusedet.configs.reader.schema_keys import yaml_values
    from fusedet.configs.reader.validate import validate

    if path is not None:
        return load_camera_config(path, overrides)
    data: dict[str, Any] = {"model": "nano", "cameras": {"camera": {"source": text}}}
    tree = ConfigTree(data, "command line", {})
    settings = yaml_values(map(_of_the_camera, overrides), CameraConfig)
    return validate(override(tree, settings), CameraConfig)


def _of_the_camera(setting: str) -> str:
    """Where there is one camera only, ``loop=true`` means its own."""
    from fusedet.configs.camera.config import CameraConfig, CameraSection

    name = setting.partition("=")[0].partition(".")[0]
    is_its_own = name in CameraSection.model_fields.keys() - CameraConfig.model_fields.keys()
    return f"cameras.camera.{setting}" if is_its_own else setting


def _watch(pipeline: "Pipeline", config: "CameraConfig", reloader: Reloader, seconds: float | None) -> int:
    from fusedet.deploy.camera.pipeline import systemd

    window = _open_window(config)
    server = _open_server(pipeline, config)
    ends_s = None if seconds is None else monotonic() + seconds
    try:
        with on_stop_signals(lambda *_: pipeline.stop()), pipeline:
            systemd.notify("READY=1")
            told = looked = monotonic()
            while not pipeline.wait(0.01 if window else _TICK_S):
                now = monotonic()
                if pipeline.stuck_s > config.watchdog_s:
                    _log.critical("detection hangs for %.0f s: ending, so that a service starts anew", pipeline.stuck_s)
                    os._exit(HUNG)  # the thread that hangs would keep an orderly end from coming
                if now - looked > _LOOK_EVERY_S:
                    looked = now
                    reloader.look()
                if now - told > _TELL_EVERY_S:
                    told = now
                    _tell(pipeline)
                if (ends_s is not None and now > ends_s) or (window and not _show(window, pipeline)):
                    pipeline.stop()
            systemd.notify("STOPPING=1")
    finally:
        if server is not None:
            server.close()
        if window is not None:
            window.close()
    return _summary(pipeline)


def _say(text: str, end: str = "\n") -> None:
    """To standard error, unless the terminal has been closed meanwhile."""
    with suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def _open_window(config: "CameraConfig") -> "Window | None":
    if not config.outputs.window:
        return None
    from fusedet.deploy.camera.sinks import Window

    return Window("fusedet")


def _show(window: "Window", pipeline: "Pipeline") -> bool:
    """Shows the newest result of the first camera; False when the user has seen enough.

    Windows belong to the main thread: no sink on a thread of its own could show them.
    """
    from fusedet.deploy.camera.sinks import WindowClosed

    result = pipeline.latest(next(iter(pipeline.status()["cameras"])))
    try:
        if result is not None:
            window.write(result)
    except WindowClosed:
        return False
    return True


def _open_server(pipeline: "Pipeline", config: "CameraConfig") -> Any:
    if config.serve is None:
        return None
    from fusedet.deploy.camera.web.server import WebServer

    server = WebServer(pipeline, **config.serve.model_dump())
    server.start()
    print(f"page: {server.url}", file=sys.stderr)
    return server


def _tell(pipeline: "Pipeline") -> None:
    """One line to the service manager, and to a terminal."""
    from fusedet.deploy.camera.pipeline import systemd

    status = pipeline.status()
    text = "; ".join(_camera_line(name, camera) for name, camera in status["cameras"].items())
    systemd.notify(f"WATCHDOG=1\nSTATUS={text}")
    if sys.stderr.isatty():
        _say(f"\r\x1b[K{text[:160]}", end="")


def _camera_line(name: str, camera: dict[str, Any]) -> str:
    if camera["state"] != "running" or camera["error"]:
        return f"{name}: {camera['state']}{': ' + camera['error'] if camera['error'] else ''}"
    age = camera["age_ms"]["p50"]
    seen = ", ".join(f"{count} {label}" for label, count in camera["visible"].items()) or "nothing"
    return f"{name}: {camera['fps']:.1f} frames/s, age {0 if age is None else age:.0f} ms, {seen}"


def _summary(pipeline: "Pipeline") -> int:
    """Says what was done; 1 where a source ended by an error."""
    status, code = pipeline.status(), 0
    if sys.stderr.isatty():
        _say("\r\x1b[K", end="")
    for name, camera in status["cameras"].items():
        counts = ", ".join(f"{camera[key]} {key}" for key in ("captured", "processed", "dropped"))
        failed = "".join(f", {camera[key]} {key}" for key in ("failed", "unreadable") if camera[key])
        error = f": {camera['error']}" if camera["error"] else ""
        ended_by_error = camera["error"] and camera["state"] == "ended" and not pipeline.was_stopped
        code = 1 if ended_by_error else code
        ages = camera["age_ms"]
        age = "" if ages["p50"] is None else f"; age p50 {ages['p50']:.0f} ms, p95 {ages['p95']:.0f} ms"
        _say(f"{name}: {counts}{failed}{age}{error}")
    for name, sink in status["sinks"].items():
        left = f", {sink['waiting']} waiting" if sink["waiting"] else ""
        lost = f", {sink['dropped']} dropped" if sink["dropped"] else ""
        error = f": {sink['error']}" if sink["error"] else ""
        _say(f"{name}: {sink['written']} written{left}{lost}{error}")
    return code
