"""A node that receives, in this process, and peers that send to it."""

import contextlib
import socket
import struct
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, _config
from pynetdicom.sop_class import Verification
from pynetdicom.transport import AssociationSocket

from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.peers import Peer
from pneumoscope.pacs.receive import scp
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.settings import Limits, Receiving
from pneumoscope.pacs.spool import Spool
from tests.radiograph.builders import cr, written

ANYBODY = (Peer("STORESCU"), Peer("CR1"))
PATIENT = Limits(wait_seconds=0.1, drain_seconds=5.0, spool_free_bytes=0)
QUICK = Limits(request_seconds=0.5, pdu_seconds=0.5, idle_seconds=2.0, wait_seconds=0.1, drain_seconds=2.0, spool_free_bytes=0)
APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"


def close_really(self):
    """Close a socket of pynetdicom, which leaves one open whose other side has gone."""
    if self.socket is not None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


AssociationSocket._shutdown_socket = close_really


@dataclass(frozen=True)
class Node:
    """A node that receives."""

    server: object
    spool: Spool
    ledger: Ledger
    stop: threading.Event

    @property
    def port(self):
        return self.server.server_address[1]

    def connect(self, source="127.0.0.1", timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout, source_address=(source, 0))

    def files(self):
        return sorted((self.spool.folder / "instances").glob("?/*.dcm"))

    def leftovers(self):
        return list(self.spool.incoming.iterdir())


@contextmanager
def node(folder, *, limits=PATIENT, peers=ANYBODY, ledger=None, spool_folder=None, reports=None, reporters=(), **receiving):
    """Run a node in this process."""
    spool, stop = Spool(spool_folder or folder / "spool", limits), threading.Event()
    spool.prepare()
    with Ledger.open(folder / "ledger.sqlite", busy_s=0.2) if ledger is None else ledger as ledger:
        admission = Admission(spool, ledger, "salt", stop)
        chunked, temporary = _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir
        try:
            with scp.listening(Receiving(**({"port": 0} | receiving)), peers, limits, admission, reports, reporters) as server:
                yield Node(server, spool, ledger, stop)
        finally:  # a node has a process of its own, and leaves such settings as it needs them
            _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir = chunked, temporary


def instance(number=1, *, value=0, size=(8, 8), syntax=ExplicitVRLittleEndian, **attributes):
    """A CR image of a study of its own, as a data set."""
    attributes.setdefault("SOPClassUID", ComputedRadiographyImageStorage)
    uids = {
        "StudyInstanceUID": f"1.2.3.{number}.8",
        "SeriesInstanceUID": f"1.2.3.{number}.9",
        "SOPInstanceUID": f"1.2.3.{number}",
    }
    made = dcmread(DicomBytesIO(written(cr(np.full(size, value), syntax=syntax, **uids | attributes))))
    made.file_meta.MediaStorageSOPInstanceUID, made.file_meta.MediaStorageSOPClassUID = made.SOPInstanceUID, made.SOPClassUID
    return made


@contextmanager
def association(
    node,
    *,
    title="STORESCU",
    called="PNEUMOSCOPE",
    classes=(ComputedRadiographyImageStorage,),
    syntaxes=None,
    no_delay=True,
    **options,
):
    """An association with a node, made by pynetdicom."""
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    entity.add_requested_context(Verification)
    for sop_class in classes:
        entity.add_requested_context(sop_class, syntaxes or [ExplicitVRLittleEndian])
    made = entity.associate("127.0.0.1", node.port, ae_title=called, **options)
    if made.is_established and (sock := made.dul.socket.socket):  # otherwise each message waits 40 ms for an acknowledgement
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(no_delay))
    # Its own thread looks for messages too, and at times takes the answer that the sender waits for.
    take = made.dimse.get_msg
    made.dimse.get_msg = lambda block=False: take(block=True) if block else (None, None)
    try:
        yield made
    finally:
        if made.is_established:
            made.release()


def stored(node, *datasets, **options):
    """Send data sets through one association; give the statuses, None where there was no answer."""
    with association(node, **options) as made:
        assert made.is_established
        return [getattr(made.send_c_store(dataset), "Status", None) for dataset in datasets]


def echo(node, **options):
    """Whether a C-ECHO is answered."""
    with association(node, **options) as made:
        return made.is_established and made.send_c_echo().Status == 0


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_rq(title=b"STORESCU", sop_class=b"1.2.840.10008.5.1.4.1.1.1", syntax=b"1.2.840.10008.1.2.1", maximum=16384):
    """The PDU that asks for an association (PS3.8 9.3.2), written byte by byte."""
    context = item(0x20, b"\x01\0\0\0" + item(0x30, sop_class) + item(0x40, syntax))
    user = item(0x50, item(0x51, struct.pack(">I", maximum)) + item(0x52, b"1.2.3.4"))
    titles = b"PNEUMOSCOPE".ljust(16) + title.ljust(16)
    body = b"\0\1\0\0" + titles + bytes(32) + item(0x10, APPLICATION_CONTEXT) + context + user
    return b"\1\0" + struct.pack(">I", len(body)) + body


def p_data(fragment, *, is_command, is_last, context=1):
    """A P-DATA-TF PDU with one fragment (PS3.8 9.3.5)."""
    value = bytes([context, is_command | 2 * is_last]) + fragment
    return b"\4\0" + struct.pack(">II", len(value) + 4, len(value)) + value


def element(tag, value):
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def store_command(uid=b"1.2.3.1\0", sop_class=b"1.2.840.10008.5.1.4.1.1.1\0"):
    """The command of a C-STORE request (PS3.7 9.3.1), Implicit VR Little Endian."""
    body = (
        element(0x00000002, sop_class)
        + element(0x00000100, struct.pack("<H", 1))
        + element(0x00000110, struct.pack("<H", 1))
        + element(0x00000700, struct.pack("<H", 0))
        + element(0x00000800, struct.pack("<H", 1))
        + element(0x00001000, uid)
    )
    return element(0x00000000, struct.pack("<I", len(body))) + body


def until_closed(sock):
    """What the node sends until it closes the connection."""
    content = b""
    try:
        while piece := sock.recv(4096):
            content += piece
    except ConnectionError:
        pass
    return content


def received_exactly(sock, count):
    content = b""
    while len(content) < count:
        piece = sock.recv(count - len(content))
        assert piece
        content += piece
    return content


def read_pdu(sock):
    """One PDU of the node: its type and its body."""
    kind, _, length = struct.unpack(">BBI", received_exactly(sock, 6))
    return kind, received_exactly(sock, length)


def saved(dataset, file: Path):
    """A data set as a file for DCMTK."""
    dataset.save_as(file, enforce_file_format=True)
    return file
