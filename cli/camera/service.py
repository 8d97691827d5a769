"""``fusedet service``: the systemd unit that runs a config at every start of the board."""

import argparse
import getpass
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.camera.check import check_config, errors_naming, inside, written_places
from fusedet.cli.shared.files import refuse_to_replace, write_or_refuse
from fusedet.common.errors import InputError

if TYPE_CHECKING:
    from fusedet.configs.camera.config import CameraConfig

_EPILOG = """\
To install it, as root:

  fusedet service camera.yaml --user pi \\
    --out /etc/systemd/system/fusedet.service
  systemctl daemon-reload
  systemctl enable --now fusedet
  journalctl -u fusedet -f

What ${NAME} stands for in the YAML is read from the file of the same name that ends in .env, as NAME=value.
"""

_UNIT = """\
# Made by `fusedet service {config}`.
[Unit]
Description=fusedet watches {cameras}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command} run {config}
WorkingDirectory={folder}
EnvironmentFile=-{environment}
User={user}
SupplementaryGroups=video
# Bad input (2) is not better the second time; everything else is tried again.
Restart=always
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=120
TimeoutStopSec=30
WatchdogSec=60
Environment=PYTHONUNBUFFERED=1

# What it may not do.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
# These folders must be there when it starts.
ReadWritePaths={writes}
PrivateTmp=yes
UMask=0027
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
{devices}
[Install]
WantedBy=multi-user.target
"""

_NO_DEVICES = "PrivateDevices=yes\n"
_USB_DEVICES = "DevicePolicy=closed\nDeviceAllow=char-video4linux rw\n"
#: A CSI camera goes through several kinds of devices, which differ from board to board: none is closed.
_CSI_DEVICES = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("config", metavar="CONFIG", type=Path, help="YAML file of fusedet run")
    parser.add_argument("--user", help="who runs it (default: you)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there instead of to standard output")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Prints or writes the unit."""
    refuse_to_replace("--out", args.out, args.force)
    from fusedet.configs.camera.config import load_camera_config

    config = load_camera_config(args.config)
    if config.outputs.window:
        raise InputError(f"{args.config}: outputs.window: a service has no screen")
    with errors_naming(str(args.config)), inside(args.config.parent):  # where the service runs
        check_config(config)
    text = unit(args.config.resolve(), config, args.user or getpass.getuser(), _command())
    if args.out is None:
        print(text, end="")
    else:
        write_or_refuse(args.out, text)
    return 0


def unit(path: Path, config: "CameraConfig", user: str, command: str) -> str:
    """The text of the unit that runs the YAML at ``path`` by the program ``command``; both are absolute."""
    return _UNIT.format(
        cameras=", ".join(config.cameras),
        command=command,
        config=_quoted(path),
        folder=_escaped(path.parent),
        environment=_escaped(path.with_suffix(".env")),
        user=user,
        writes=" ".join(_quoted(folder) for folder in _written(path, config)),
        devices=_devices(config),
    )


def _written(path: Path, config: "CameraConfig") -> list[Path]:
    """Folders that it writes into: that of the YAML too, for zones that were drawn on the page."""
    places = [place.parent if key == "path" else place for _, key, place in written_places(config)]
    folders = {(path.parent / place).resolve() for place in (Path(), *places)}
    # What lies in another one of them is writable with it, and need not exist when the service starts.
    return sorted(folder for folder in folders if not any(other in folder.parents for other in folders))


def _devices(config: "CameraConfig") -> str:
    sources = [camera.source for camera in config.cameras.values()]
    if any(source.partition(":")[0] == "csi" for source in sources):
        return _CSI_DEVICES
    return _USB_DEVICES if any(s.isdecimal() or s.startswith("/dev/") for s in sources) else _NO_DEVICES


def _command() -> str:
    """The program as systemd must call it: by its whole path."""
    beside = Path(sys.executable).with_name("fusedet")
    found = str(beside) if beside.is_file() else shutil.which("fusedet")
    return _quoted(found) if found else f"{_quoted(sys.executable)} -m fusedet.cli.main"


def _escaped(path: Path | str) -> str:
    """``%`` begins a specifier in a unit."""
    text = str(path)
    if "\n" in text:
        raise InputError(f"{text!r}: a path in a systemd unit must not hold a line break")
    return text.replace("%", "%%")


def _quoted(path: Path | str) -> str:
    text = _escaped(path)
    return text if shlex.quote(text) == text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
