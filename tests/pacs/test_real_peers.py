"""Results to a real Orthanc (C-STORE, STOW-RS, storage commitment) and to DCMTK, with every fault that they can be given."""

import os
import signal
import subprocess
from collections import Counter

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from pneumoscope.dicom_objects import write_objects
from pneumoscope.pacs.ledger.search import DeliveryQuery, search_deliveries
from pneumoscope.pacs.send import commitment
from tests.pacs.fake_pacs import until
from tests.pacs.node_parts import BASE, image, receive, worker
from tests.pacs.real_peers import (
    DICOM_PORT,
    HTTP_PORT,
    NODE_PORT,
    ORTHANC,
    STORESCP,
    STORESCP_PORT,
    Orthanc,
    Storescp,
    in_own_network,
    wait_for_port,
)
from tests.pacs.test_processes import Node, ended

IN_CI = bool(os.environ.get("PNEUMOSCOPE_FORBID_SKIPS"))
pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(
        (os.geteuid() != 0 or ORTHANC is None or STORESCP is None) and not IN_CI,
        reason="needs root, Orthanc with its DICOMweb plugin, and DCMTK (Debian: orthanc, orthanc-dicomweb, dcmtk)",
    ),
]
HEAD = BASE[: BASE.index("[[destinations]]")]
TO_ORTHANC = f"""
[[destinations]]
name = "orthanc"
protocol = "dimse"
host = "127.0.0.1"
port = {DICOM_PORT}
ae_title = "ORTHANC"
profile = "orthanc"
kinds = ["sr", "seg", "sc", "gsps"]
commitment = true
seconds = 2

[[destinations]]
name = "web"
protocol = "stow"
url = "http://127.0.0.1:{HTTP_PORT}/dicom-web"
profile = "ohif"
kinds = ["sr", "seg", "sc"]
seconds = 2
"""
TO_DCMTK = f"""
[[destinations]]
name = "dcmtk"
protocol = "dimse"
host = "127.0.0.1"
port = {STORESCP_PORT}
ae_title = "STORESCP"
profile = "plain"
kinds = ["sr", "sc"]
seconds = 2
"""
SENDING = "\n[send]\nfirst_wait_seconds = 0.2\nlongest_wait_seconds = 1\nlease_seconds = 5\n"


def filled(folder, destinations, images=2):
    """A node whose images are read, by real objects; its results wait."""
    folder.mkdir(exist_ok=True)
    (folder / "node.toml").write_text(HEAD + destinations + SENDING, encoding="utf-8")
    node = Node(folder / "node.toml")
    read_images(node, *range(1, images + 1))
    return node


def read_images(node, *numbers):
    """Receive and read images; their results wait."""
    with node.ledger() as ledger:
        for number in numbers:
            receive(node.config, ledger, image(number, PatientID=f"P{number}", ImagerPixelSpacing=["0.2", "0.2"]), number)
            assert worker(node.config, ledger, write=write_objects).step("work")
            assert ledger.instance(number).state == "read", ledger.instance(number).reason


def states(node, *destinations):
    """How many deliveries are in which state."""
    with node.ledger() as ledger:
        return Counter(one.state for one in search_deliveries(ledger, DeliveryQuery(destinations=destinations)))


def files_of(node, destination):
    """Results of a destination by SOP Instance UID: what was written once."""
    with node.ledger() as ledger:
        sent = search_deliveries(ledger, DeliveryQuery(destinations=(destination,)))
    return {one.sop_instance_uid: node.config.spool_folder / one.path for one in sent}


def data_set(content):
    """The bytes behind the file meta information."""
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def assert_all_there_once(node, orthanc):
    wanted = files_of(node, "orthanc") | files_of(node, "web")
    stored = orthanc.stored()
    assert set(stored) == set(wanted)
    assert orthanc.arrivals() == len(wanted)
    for uid, content in stored.items():
        assert data_set(content) == data_set(wanted[uid].read_bytes())


def sending(node, while_running):
    """Run the sending process while something is done; end it in peace."""
    child = node.start("send")
    try:
        while_running(child)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            assert ended(child) == 0
    finally:
        child.kill()
        child.wait()


def commitment_listener(node, ledger):
    """Take reports of storage commitment, as the receiving process does."""
    entity = AE("PNEUMOSCOPE")
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    entity.add_supported_context(StorageCommitmentPushModel, syntaxes, scu_role=True, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, commitment.handler(node.config, ledger))]
    return entity.start_server(("127.0.0.1", NODE_PORT), block=False, evt_handlers=handlers)


def test_orthanc_holds_every_result_once_and_commits_itself(tmp_path):
    def body():
        with Orthanc(tmp_path / "orthanc") as orthanc:
            node = filled(tmp_path / "node", TO_ORTHANC)
            with node.ledger() as ledger:
                listener = commitment_listener(node, ledger)
                try:
                    sending(node, lambda _: until(lambda: states(node) == {"committed": 8, "sent": 6}))
                finally:
                    listener.shutdown()
            assert_all_there_once(node, orthanc)

    in_own_network(body)


def test_orthanc_hangs_is_killed_and_the_sender_is_killed(tmp_path):
    def body():
        with Orthanc(tmp_path / "orthanc") as orthanc:
            node = filled(tmp_path / "node", TO_ORTHANC.replace("commitment = true", ""), images=3)

            def killed_while_sending(child):
                until(lambda: states(node)["sent"] >= 2)
                child.send_signal(signal.SIGKILL)
                ended(child)

            def hanging_and_killed(_):
                orthanc.hang()
                read_images(node, 4, 5)  # so that something is left to send, however fast the others were sent
                until(lambda: tried(node) > 2)
                orthanc.go_on()
                until(lambda: states(node)["sent"] >= 22)
                orthanc.kill()
                orthanc.start()
                until(lambda: states(node) == {"sent": 35})

            orthanc.hang()
            sending(node, lambda _: until(lambda: tried(node) > 0))
            orthanc.go_on()
            sending(node, killed_while_sending)
            sending(node, hanging_and_killed)
            assert_all_there_once(node, orthanc)

    in_own_network(body)


def tried(node):
    """How many deliveries have a reason, which only a failed try gives them."""
    with node.ledger() as ledger:
        return sum(bool(one.reason) for one in search_deliveries(ledger, DeliveryQuery(states=("waiting", "sending"))))


@pytest.mark.parametrize("fault", ["--refuse", "--abort-during", "--abort-after", "--sleep-during=4"])
def test_dcmtk_that_fails_gets_every_result_when_it_works_again(tmp_path, fault):
    def body():
        node = filled(tmp_path / "node", TO_DCMTK)

        def failing_then_working(_):
            with Storescp(tmp_path / "failing", *fault.split("=")):
                until(lambda: tried(node) >= 1)
            with Storescp(tmp_path / "working"):
                until(lambda: states(node) == {"sent": 4})

        sending(node, failing_then_working)
        arrived = Counter(str(pydicom.dcmread(one).SOPInstanceUID) for one in (tmp_path / "working").iterdir())
        wanted = files_of(node, "dcmtk")
        assert set(arrived) <= set(wanted)
        assert set(arrived.values()) == {1}
        already = {str(pydicom.dcmread(one, force=True).get("SOPInstanceUID")) for one in (tmp_path / "failing").iterdir()}
        assert set(arrived) | already >= set(wanted)

    in_own_network(body)


WHOLE = f"""
[receive]
port = {NODE_PORT}

[[peers]]
ae_title = "ORTHANC"
addresses = ["127.0.0.1"]

[[rules]]
name = "frontal"
views = ["PA", "AP"]

[[rules]]
name = "lateral"
action = "skip"
reason = "lateral views are not read here"
views = ["LL", "RL"]
"""


def test_images_that_orthanc_forwards_come_back_as_results(tmp_path):
    """Image to Orthanc, Orthanc to the node, the shipped model, results to Orthanc: the whole node under its parent."""

    def body():
        with Orthanc(tmp_path / "orthanc") as orthanc:
            node = filled(tmp_path / "node", TO_ORTHANC + WHOLE, images=0)
            parent = node.start_whole()
            try:
                wait_for_port(NODE_PORT)
                sent = [image(1), image(2), image(3, ViewPosition="LL")]
                for content in sent:
                    orthanc.forward(content, "node")
                until(lambda: node.counts().instances == {"read": 2, "skipped": 1})
                until(lambda: set(states(node, "orthanc")) == {"committed"} and set(states(node, "web")) == {"sent"})
                wanted = files_of(node, "orthanc") | files_of(node, "web")
                assert set(wanted) < set(orthanc.stored())
                assert orthanc.arrivals() == len(wanted) + len(sent)
                parent.send_signal(signal.SIGTERM)
                assert ended(parent) == 0
            finally:
                parent.kill()
                parent.wait()
        log = node.said("node")
        assert "Doe" not in log
        assert "1.2.3." not in log
        assert "the node has stopped" in log

    in_own_network(body)


def test_the_network_of_these_tests_has_no_way_out():
    shown = []
    in_own_network(lambda: shown.append(subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout))
    assert [line.split(":")[1].strip() for line in shown[0].splitlines()] == ["lo"]
