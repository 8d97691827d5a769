"""Heat and clock during a measurement: a board that throttles is slower a minute later."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: A clock that fell below this part of its highest value has dropped.
_DROPPED = 0.93
#: Bits of the Raspberry Pi's ``get_throttled`` for what is so now; 16 places higher: what was so since it started.
_PI_TROUBLES = {
    0: "under-voltage: the power supply or its cable is too weak",
    1: "the clock was capped by the firmware",
    2: "the clock was throttled",
    3: "the soft temperature limit was reached",
}
_ONCE = 16


@dataclass(frozen=True)
class Reading:
    """One look: clock of the fastest core, heat of the hottest zone, the Raspberry Pi's bits.

    What the system does not tell is None.
    """

    clock_mhz: float | None
    temperature_c: float | None
    throttled: int | None


@dataclass(frozen=True)
class Health:
    """What several looks say; None where the system does not tell."""

    clock_mhz: tuple[float, float, float] | None  # first, lowest and last
    temperature_c: tuple[float, float] | None  # first and highest
    troubles: tuple[str, ...]  # what made the measurement slower than the machine can be, a line each


def read_health(root: Path = Path("/")) -> Reading:
    """Looks now, in the file system ``root``. Takes well under a millisecond, but on a Pi some to ask its firmware."""
    system = root / "sys"
    clocks = _numbers(system.glob("devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"))
    heat = _numbers(system.glob("class/thermal/thermal_zone*/temp"))
    return Reading(
        max(clocks) / 1e3 if clocks else None,
        max(heat) / 1e3 if heat else None,
        _pi_bits(system),
    )


def summarise_health(readings: Sequence[Reading], *, busy: bool = True) -> Health:
    """What readings of one measurement say, at least one, in their order.

    ``busy``: the processor worked all the time. Between the frames of a camera it may lower its clock as it likes.
    """
    clocks = [one.clock_mhz for one in readings if one.clock_mhz is not None]
    heat = [one.temperature_c for one in readings if one.temperature_c is not None]
    bits = [one.throttled for one in readings if one.throttled is not None]
    troubles = list[str]()
    if busy and clocks and min(clocks) < _DROPPED * max(clocks):
        hottest = f" at {max(heat):.0f} °C" if heat else ""
        troubles.append(f"the clock dropped from {max(clocks):.0f} to {min(clocks):.0f} MHz{hottest}")
    if bits:
        newly = bits[-1] & ~bits[0]
        for bit, text in _PI_TROUBLES.items():
            if any(one >> bit & 1 for one in bits) or newly >> (bit + _ONCE) & 1:
                troubles.append(text)
    return Health(
        (clocks[0], min(clocks), clocks[-1]) if clocks else None,
        (heat[0], max(heat)) if heat else None,
        tuple(troubles),
    )


def _numbers(paths: Iterable[Path]) -> list[float]:
    found = list[float]()
    for path in paths:
        try:
            found.append(float(path.read_text()))
        except (OSError, ValueError):  # a core that is offline, a sensor that is asleep
            continue
    return found


def _pi_bits(system: Path) -> int | None:
    """From the kernel, or from the Pi's own tool."""
    for path in system.glob("devices/platform/soc/soc:firmware/get_throttled"):
        try:
            return int(path.read_text(), 16)
        except (OSError, ValueError):
            break
    tool = shutil.which("vcgencmd")
    if tool is None:
        return None
    try:
        said = subprocess.run([tool, "get_throttled"], capture_output=True, text=True, timeout=2, check=True).stdout
        return int(said.partition("=")[2], 16)
    except (OSError, ValueError, subprocess.SubprocessError):  # no right to ask, or no Pi after all
        return None
