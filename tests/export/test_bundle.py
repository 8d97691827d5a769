"""A bundle holds what a board needs, runs like a file, and is refused when anything in it changed."""

import json
import shutil
import zipfile

import cv2
import numpy as np
import onnx
import pytest

from fusedet.cli.main import main
from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from fusedet.deploy.bench.tuned import Tuned, read_tuned, write_tuned
from fusedet.deploy.detector.bundle import MANIFEST, is_bundle, open_bundle
from fusedet.deploy.detector.session import open_session
from fusedet.export import Int8Settings, export_certified, export_onnx
from fusedet.export.bundle import write_bundle
from fusedet.export.proof.images import draw_images
from tests.export.networks import NAMES, change_metadata, small_config, trained_net
from tests.export.test_pipeline import save

IMAGES = draw_images(4)
IMAGE = IMAGES["drawn image 1"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """An export with everything: fused, INT8, certificate, self-test."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint = save(trained_net(small_config()), folder / "bird.pt")
    result, _ = export_certified(checkpoint, folder, real_images=IMAGES, int8=Int8Settings(images=2))
    return result.plain


@pytest.fixture(params=["folder", "zip"])
def bundle(request, plain, tmp_path):
    return write_bundle(plain, tmp_path / ("bird.zip" if request.param == "zip" else "bird"), ort_format=True)


def test_everything_is_in_it(bundle, plain):
    opened = open_bundle(bundle)

    assert is_bundle(bundle)
    assert set(opened.files) == {
        "README.md",
        "bird.certificate.html",
        "bird.certificate.json",
        "bird.fused.onnx",
        "bird.int8.onnx",
        "bird.onnx",
        "bird.ort",
        "bird.required_operators.config",
        "classes.txt",
    }
    assert opened.files["bird.onnx"] == plain.read_bytes()
    assert opened.files["classes.txt"].decode().split() == list(NAMES)
    assert b"com.microsoft;1;FusedConv" in opened.files["bird.required_operators.config"]
    for word in ("fusedet check bird", "bird.int8.onnx", "3 classes", "64 x 64"):
        assert word in opened.files["README.md"].decode()


@pytest.mark.parametrize("settings", [{"location": "bird.onnx.data"}, {"all_tensors_to_one_file": False}])
def test_weights_that_lie_beside_a_file_are_taken_in(settings, plain, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for path in (plain, plain.with_suffix(".fused.onnx")):
        onnx.save(onnx.load(path), source / path.name, save_as_external_data=True, size_threshold=100, **settings)
        settings = {"all_tensors_to_one_file": False}  # in one file they would be those of the file before
    made = write_bundle(source / plain.name, tmp_path / "made")
    shutil.rmtree(source)

    expected = Detector(plain)(IMAGE)
    assert len(expected) > 0
    for name in (plain.name, f"{plain.stem}.fused.onnx"):
        np.testing.assert_array_equal(Detector(made / name)(IMAGE).boxes_xyxy, expected.boxes_xyxy)


def test_other_class_names_than_the_network_has_are_refused(plain, tmp_path):
    for names in (NAMES[:-1], (*NAMES, "emu")):
        change_metadata(plain, {"fusedet.names": json.dumps(names)}, tmp_path / "edited.onnx")

        with pytest.raises(InputError, match=rf"edited\.onnx: .* 3 classes apart, .* name {len(names)}: cat"):
            Detector(tmp_path / "edited.onnx")


def test_a_bundle_whose_name_is_no_text_is_refused(plain, tmp_path):
    with pytest.raises(InputError, match="must be text in UTF-8"):
        write_bundle(plain, tmp_path / "b\udce8.zip")


def test_it_runs_like_the_file(bundle, plain, capsys):
    expected = Detector(plain.with_suffix(".fused.onnx"))(IMAGE)

    found = Detector(bundle)(IMAGE)

    np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)
    assert main(["check", str(bundle)]) == 0
    assert main(["info", str(bundle)]) == 0
    assert "cat, dog, owl" in capsys.readouterr().out


def test_the_form_of_onnx_runtime_finds_the_same(plain, tmp_path):
    folder = write_bundle(plain, tmp_path / "bird", ort_format=True)

    found, expected = Detector(folder / "bird.ort")(IMAGE), Detector(plain)(IMAGE)

    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


def test_the_same_models_make_the_same_bytes(plain, tmp_path):
    first, second = (write_bundle(plain, tmp_path / name / "bird.zip") for name in ("a", "b"))

    assert first.read_bytes() == second.read_bytes()


def test_a_file_that_changed_is_refused(plain, tmp_path):
    folder = write_bundle(plain, tmp_path / "bird")
    content = bytearray((folder / "bird.fused.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "bird.fused.onnx").write_bytes(content)

    with pytest.raises(InputError, match=r"bird: bird\.fused\.onnx is damaged: its SHA-256 is .*copy the bundle again"):
        Detector(folder)


def test_a_file_that_is_missing_is_named(plain, tmp_path):
    folder = write_bundle(plain, tmp_path / "bird")
    (folder / "classes.txt").unlink()

    with pytest.raises(InputError, match=r"bird: classes\.txt is missing in the bundle"):
        open_bundle(folder)


def _changed_byte(content):
    content[content.index(b"backbone.stem.0.weight") + 200] ^= 1


def _encrypted(content):
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says so, in every entry
        place = content.find(signature)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(signature, place + 4)


def _cut_off(part):
    def cut_off(content):
        del content[int(part * len(content)) :]

    return cut_off


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [*((_cut_off(part), "") for part in (0.1, 0.5, 0.99)), (_changed_byte, "Bad CRC"), (_encrypted, ".*encrypted")],
)
def test_a_damaged_zip_is_refused(damage, complaint, plain, tmp_path):
    path = write_bundle(plain, tmp_path / "bird.zip")
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)

    with pytest.raises(InputError, match=rf"bird\.zip: a damaged zip file: {complaint}.*copy the bundle again"):
        Detector(path)


def test_a_zip_without_manifest_is_no_bundle(tmp_path):
    path = tmp_path / "holiday.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("beach.jpg", b"")

    with pytest.raises(InputError, match=r"holiday\.zip: There is no item named 'manifest\.json'"):
        Detector(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "a bundle of form 2, this fusedet reads form 1"),
        ({"files": {"../../etc/passwd": {"sha256": "0"}}}, "damaged manifest.json: a file has no plain name"),
        ({"models": {"fused": "other.onnx"}}, "damaged manifest.json: a model is not among the files"),
        ({"files": ["bird.onnx"]}, "damaged manifest.json: "),
        ({"models": {}}, "the bundle has no fused model; it has "),
    ],
)
def test_a_manifest_that_cannot_be_trusted(change, message, plain, tmp_path):
    folder = write_bundle(plain, tmp_path / "bird")
    manifest = {**json.loads((folder / MANIFEST).read_text()), **change}
    (folder / MANIFEST).write_text(json.dumps(manifest))

    with pytest.raises(InputError, match=message):
        Detector(folder)


#: Computes nothing by itself in the builds that have it: enough to see what is opened for a provider beside the CPU.
OTHER = "AzureExecutionProvider"


def test_a_fused_file_runs_on_the_cpu_only(plain, tmp_path):
    fused = plain.with_suffix(".fused.onnx")

    with pytest.raises(InputError, match=r"bird\.fused\.onnx: a fused file runs on the CPU only: take .*bird\.onnx"):
        open_session(fused, provider=OTHER)
    assert OTHER in open_session(plain, provider=OTHER).get_providers()
    assert OTHER in open_session(write_bundle(plain, tmp_path / "bird.zip"), provider=OTHER).get_providers()


def test_a_provider_that_is_not_there(plain):
    with pytest.raises(InputError, match=r"provider TpuExecutionProvider: this .*CPUExecutionProvider"):
        open_session(plain, provider="TpuExecutionProvider")


def test_nothing_is_replaced_unasked(plain, tmp_path):
    folder, path = write_bundle(plain, tmp_path / "bird"), write_bundle(plain, tmp_path / "bird.zip")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "beach.jpg").touch()
    (tmp_path / "notes").touch()

    for out, message in (
        (folder, "bird: this folder is already there; --force replaces it"),
        (path, r"bird\.zip: this file is already there; --force replaces it"),
        (tmp_path / "photos", "photos: this folder is already there; it is no bundle, and is left as it is"),
        (tmp_path / "notes", r"notes: this file is already there; choose a folder, or a name that ends in \.zip"),
    ):
        with pytest.raises(InputError, match=message):
            write_bundle(plain, out)
    for out in (tmp_path / "photos", tmp_path / "notes"):
        with pytest.raises(InputError):
            write_bundle(plain, out, overwrite=True)
    for out in (folder, path):
        write_bundle(plain, out, overwrite=True)
    assert (tmp_path / "photos" / "beach.jpg").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bird.fused.onnx", r"bird\.fused\.onnx: expected the plain file of an export, NAME\.onnx"),
        ("nowhere.onnx", r"nowhere\.onnx: no such file"),
        ("alone.onnx", r"alone\.fused\.onnx: no such file; a bundle holds the plain and the fused file"),
    ],
)
def test_what_cannot_be_bundled(name, message, plain, tmp_path):
    shutil.copyfile(plain, plain.with_name("alone.onnx"))

    with pytest.raises(InputError, match=message):
        write_bundle(plain.with_name(name), tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []


def test_files_of_two_exports_make_no_bundle(plain, tmp_path):
    export_onnx(trained_net(small_config()), tmp_path / "model.onnx", names=("a", "b", "c"))
    shutil.copyfile(plain.with_suffix(".fused.onnx"), tmp_path / "model.fused.onnx")

    with pytest.raises(InputError, match=r"model\.fused\.onnx: is not of the same export as .*model\.onnx"):
        write_bundle(tmp_path / "model.onnx", tmp_path / "out.zip")


def test_the_command(plain, tmp_path, capsys):
    out = tmp_path / "bird.zip"

    assert main(["bundle", str(plain), "--out", str(out)]) == 0

    assert capsys.readouterr().out.splitlines()[1].startswith("  README.md  ")
    assert main(["bundle", str(plain), "--out", str(out)]) == 2
    assert main(["bundle", str(plain), "--out", str(out), "--force", "--ort"]) == 0
    assert "bird.ort" in open_bundle(out).files


def test_a_small_zip_that_holds_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("fusedet.deploy.detector.bundle._MOST_BYTES", 1000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, "[" * 100_000)

    with pytest.raises(InputError, match=r"manifest\.json is larger than any model can be"):
        open_bundle(path)


def test_a_manifest_without_an_end_is_said(tmp_path):
    (tmp_path / MANIFEST).write_text("[" * 100_000)

    with pytest.raises(InputError, match=r"damaged manifest\.json: nested too deeply"):
        open_bundle(tmp_path)


def test_a_zip_whose_names_are_no_text_is_said(tmp_path):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST.replace("m", "ü"), "{}")
        archive.writestr(MANIFEST, "{}")
    data = path.read_bytes()
    name = data.find(MANIFEST.encode(), data.find(b"PK\x03\x04", 1))
    path.write_bytes(
        data[: name - 24]
        + b"\x00\x08"
        + data[name - 22 : name]
        + b"\xff" * len(MANIFEST)
        + data[name + len(MANIFEST) :]
    )
    with pytest.raises(InputError, match="a damaged zip file"):
        open_bundle(path)


@pytest.mark.parametrize("name", ["bird.zip", "bird"])
def test_each_model_of_a_bundle_can_be_opened_by_its_name(plain, tmp_path, name):
    bundle = write_bundle(plain, tmp_path / name)

    expected = Detector(plain.with_suffix(".int8.onnx"))(IMAGE)
    found = Detector(bundle / "bird.int8.onnx")(IMAGE)
    np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)
    if name == "bird.zip":
        with pytest.raises(InputError, match=r"bird\.zip/classes\.txt: no such model in the bundle; it has bird"):
            Detector(bundle / "classes.txt")


@pytest.fixture
def with_ncnn(plain, tmp_path):
    """The export with empty files for ncnn beside it."""
    copied = shutil.copytree(plain.parent, tmp_path / "models") / plain.name
    for suffix in (".ncnn.param", ".ncnn.bin", ".ncnn.json"):
        copied.with_suffix(suffix).write_text("{}")
    return copied


def test_files_of_other_runtimes_travel_along(with_ncnn, tmp_path):
    bundle = open_bundle(write_bundle(with_ncnn, tmp_path / "bird.zip"))

    assert bundle.roles["ncnn"] == "bird.ncnn.param"
    assert {"bird.ncnn.bin", "bird.ncnn.json"} <= set(bundle.files)
    assert "| `bird.ncnn.param` | ncnn; `fusedet bench --all bird.zip`" in bundle.files["README.md"].decode()
    with_ncnn.with_suffix(".ncnn.bin").unlink()
    with pytest.raises(InputError, match=r"bird\.ncnn\.bin: no such file; bird\.ncnn\.param needs it"):
        write_bundle(with_ncnn, tmp_path / "other.zip")


def test_bench_all_times_each_form_and_keeps_one(plain, with_ncnn, tmp_path, capsys):
    bundle = write_bundle(with_ncnn, tmp_path / "bird.zip")

    assert main(["bench", str(bundle), "--all", "--rounds", "5", "--json", str(tmp_path / "all.json")]) == 0

    said = capsys.readouterr().out
    for word in ("bird.fused.onnx", "bird.int8.onnx", "bird.onnx", "found again", "AP50-95", "100.0%"):
        assert word in said
    assert "bird.ncnn.param left out: " in said
    tuned = read_tuned(bundle)
    assert tuned is not None
    assert f"{tuned.file}: " in said
    content = json.loads((tmp_path / "all.json").read_text())
    assert content["chosen"] == tuned.file
    assert {form["file"]: form["certified"] for form in content["forms"]} == {
        "bird.fused.onnx": True,
        "bird.onnx": True,
        "bird.int8.onnx": True,
        "bird.ncnn.param": False,
    }
    assert main(["bench", str(plain), "--all"]) == 2
    assert "--all: expected one bundle" in capsys.readouterr().err


def test_what_bench_all_chose_is_what_runs(plain, tmp_path, capsys):
    bundle = write_bundle(plain, tmp_path / "bird.zip")
    write_tuned(bundle, Tuned(1, False, "bird.int8.onnx"), "by hand")
    cv2.imwrite(str(tmp_path / "image.png"), IMAGE)

    assert main(["detect", str(bundle), str(tmp_path / "image.png"), "--no-images"]) == 0
    assert capsys.readouterr().out.startswith(f"model: {bundle}/bird.int8.onnx, ")
