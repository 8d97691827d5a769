"""Own authorities and client certificates, with real connections."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks.tls import TlsSettings
from fusedet.deploy.camera.sinks.webhook import Webhook
from tests.deploy.camera.sinks.mqtt.test_sink import open_mqtt, tell
from tests.deploy.camera.sinks.results import make_event, make_result
from tests.deploy.camera.sinks.servers import MOSQUITTO, Broker, WebServer
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``ca.pem``, and ``cert.pem`` with ``key.pem`` of 127.0.0.1 that it signed; ``locked.pem`` has a passphrase."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "name.cnf").write_text("subjectAltName=IP:127.0.0.1")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out x.csr",
        "x509 -req -in x.csr -CA ca.pem -CAkey ca.key -days 2 -extfile name.cnf -out cert.pem",
        "rsa -aes256 -passout pass:x -in key.pem -out locked.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


def post(folder: Path, port: int, tls: TlsSettings) -> Webhook:
    sink = Webhook(f"https://127.0.0.1:{port}/", {}, 5, folder / "queue", 100, tls, first_wait_s=0.02)
    sink.write(make_result(events=(make_event(1),)))
    return sink


def test_a_webhook_trusts_the_authority_that_it_is_given(files: Path, tmp_path: Path) -> None:
    with WebServer(certificate=(files / "cert.pem", files / "key.pem")) as server:
        refused = post(tmp_path, server.port, TlsSettings())
        wait_until(lambda: refused.error)
        assert "the server's certificate is not accepted" in str(refused.error)
        refused.close()
        sink = post(tmp_path, server.port, TlsSettings(ca_file=files / "ca.pem"))
        wait_until(lambda: len(server.taken) == 2)
        sink.close()


def test_only_the_explicit_switch_takes_any_certificate(files: Path, tmp_path: Path) -> None:
    with WebServer(certificate=(files / "cert.pem", files / "key.pem")) as server:
        sink = post(tmp_path, server.port, TlsSettings(insecure=True))
        wait_until(lambda: server.taken)
        sink.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves refused sockets open
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_broker_that_asks_for_a_certificate_gets_it(files: Path, tmp_path: Path) -> None:
    settings = [f"cafile {files}/ca.pem", f"certfile {files}/cert.pem", f"keyfile {files}/key.pem"]
    mine = TlsSettings(files / "ca.pem", files / "cert.pem", files / "key.pem")
    with Broker(tmp_path, *settings, "require_certificate true", "allow_anonymous true") as broker:
        for name, tls in (("no", TlsSettings()), ("unknown", TlsSettings(ca_file=files / "ca.pem"))):
            refused = open_mqtt(tmp_path, broker.port, tls=tls, queue=tmp_path / name)
            wait_until(lambda sink=refused: sink.error)
            refused.close()
        sink = open_mqtt(tmp_path, broker.port, tls=mine)
        tell(sink, 1, 2)
        wait_until(lambda: sink.waiting == 0 and sink.error is None)
        sink.close()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("gone.pem", None, None), "gone.pem: expected a file"),
        (("name.cnf", None, None), "name.cnf: expected certificates as PEM"),
        ((None, "cert.pem", "ca.key"), "ca.key: expected a certificate and its key"),
        ((None, "cert.pem", "locked.pem"), "passphrase"),
        ((None, "name.cnf", "key.pem"), "key.pem: expected a certificate and its key"),
    ],
)
def test_files_that_cannot_be_used_are_named(files: Path, names: tuple[str | None, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TlsSettings(*(None if name is None else files / name for name in names)).context()


def test_without_anything_the_system_is_asked() -> None:
    context = TlsSettings().context()
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
