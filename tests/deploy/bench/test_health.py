from pathlib import Path

from fusedet.deploy.bench.health import Reading, read_health, summarise_health


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_clock_heat_and_the_pis_bits_are_read_from_the_kernel(tmp_path: Path):
    for cpu, khz in enumerate(("600000", "1800000", "no number")):
        write(tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", f"{khz}\n")
    write(tmp_path / "sys/class/thermal/thermal_zone0/temp", "71500\n")
    write(tmp_path / "sys/class/thermal/thermal_zone1/temp", "40000\n")
    write(tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    assert read_health(tmp_path) == Reading(1800.0, 71.5, 0x50005)


def test_a_system_that_tells_nothing_has_no_troubles(tmp_path: Path):
    health = summarise_health([Reading(None, None, None)] * 2)
    assert (health.clock_mhz, health.temperature_c, health.troubles) == (None, None, ())


def test_a_clock_that_drops_is_a_trouble():
    readings = [Reading(1800, 60, None), Reading(1200, 82, None), Reading(1500, 80, None)]
    health = summarise_health(readings)
    assert health.clock_mhz == (1800, 1200, 1500)
    assert health.temperature_c == (60, 82)
    assert health.troubles == ("the clock dropped from 1800 to 1200 MHz at 82 °C",)


def test_between_a_cameras_frames_the_clock_may_be_low():
    assert summarise_health([Reading(1800, 60, None), Reading(600, 60, None)], busy=False).troubles == ()


def test_a_clock_that_is_as_good_as_steady_is_no_trouble():
    assert summarise_health([Reading(1800, 60, None), Reading(1750, 60, None)]).troubles == ()


def test_what_the_pi_says_of_this_measurement_is_told_and_what_was_before_is_not():
    under_voltage_once, throttled_once = 1 << 16, 1 << 18
    calm = summarise_health([Reading(None, None, under_voltage_once)] * 2)
    assert calm.troubles == ()
    readings = [Reading(None, None, under_voltage_once), Reading(None, None, under_voltage_once | throttled_once)]
    assert summarise_health(readings).troubles == ("the clock was throttled",)
    assert "under-voltage" in summarise_health([Reading(None, None, 1)]).troubles[0]
