import subprocess
import sys


def test_missing_opencv_is_one_line() -> None:
    code = (
        "import sys; sys.modules['cv2'] = None\n"  # importing it now raises ImportError
        "from fusedet.cli.main import main\n"
        "sys.exit(main(['detect', 'model.onnx', 'photos']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("fusedet: error: OpenCV cannot be imported (")
    assert done.stderr.endswith("): install fusedet[headless], or fusedet[desktop] where there is a screen\n")
    assert done.stderr.count("\n") == 1


def test_the_runtime_loads_nothing_of_training() -> None:
    code = (
        "import sys, fusedet.deploy, fusedet.deploy.camera.sources, fusedet.deploy.camera.sinks, fusedet.cli.detect\n"
        "print(sorted({'torch', 'onnx', 'pydantic', 'yaml', 'rich', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
