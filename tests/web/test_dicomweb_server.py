"""DICOMweb over the open films: searches, retrievals, identifiers, storing; with an independent client and a validator."""

import io
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom.uid import RLELossless
from starlette.testclient import TestClient

from pneumoscope.radiograph import read
from pneumoscope.reader import Reader
from pneumoscope.web.app import build
from pneumoscope.web.dicomweb.catalogue import Catalogue
from pneumoscope.web.dicomweb.identifiers import Identifiers
from pneumoscope.web.dicomweb.objects import attributes_for_search, dicom_object
from pneumoscope.web.dicomweb.routes import routes
from pneumoscope.web.guard import Access
from pneumoscope.web.workspace import Options
from tests.radiograph.builders import cr, jpeg, lut, png, written
from tests.web.live import live
from tests.web.workspaces import workspace

BASE = "http://127.0.0.1:8080"
OHIF = "http://127.0.0.1:3000"
RNG = np.random.default_rng(21)
STORED = RNG.integers(0, 2**12, (12, 17))
SECRETS = ("Doe", "Jane", "SECRET-4711", "ACC-0815", "1.2.840.99", "20240102", "St. Elsewhere", "4711")


def chest(instance="1.2.840.99.3", **elements):
    """A CR film with identifiers in every corner."""
    there = {
        "StudyInstanceUID": "1.2.840.99.1", "SeriesInstanceUID": "1.2.840.99.2", "SOPInstanceUID": instance,
        "StudyDate": "20240102", "InstitutionName": "St. Elsewhere", "StudyDescription": "Doe chest",
        "PatientBirthDate": "19700101", "WindowCenter": 2048, "WindowWidth": 4096, "ViewPosition": "PA",
        "BodyPartExamined": "CHEST", "PatientOrientation": ["L", "F"],
        "ImageComments": "SECRET-4711", "PixelSpacing": [0.2, 0.2],
    }  # fmt: skip
    dataset = cr(STORED, **(there | elements))
    dataset.private_block(0x0011, "Doe^Jane", create=True).add_new(1, "LO", "SECRET-4711")
    return dataset


@pytest.fixture(scope="module")
def reader(glass):
    return Reader.load(glass, threads=1)


@pytest.fixture
def opened(reader):
    """Make a client of DICOMweb over films; with the token, and of the workspace's options."""
    made = []

    def open_films(*contents, seconds=60.0, access=None, **options):
        space = workspace(reader, options=Options(**options))
        made.append(space)
        for content in contents:
            space.films.add(content, "film of nobody.png")
        access = access or Access(space.options.token)
        application = build(space, access, routes(space, Catalogue(space, search_seconds=seconds)))
        client = TestClient(application, base_url=BASE, headers={"Authorization": f"Bearer {space.options.token}"})
        client.workspace, client.application = space, application
        return client

    yield open_films
    for space in made:
        space.close()


def models(answer):
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json"), answer.text
    return answer.json()


def value(model, tag):
    return model[tag]["Value"][0]


def path_of(model):
    return f"/dicomweb/studies/{value(model, '0020000D')}/series/{value(model, '0020000E')}/instances/{value(model, '00080018')}"


def part_of(answer):
    """The content of the only part of a message."""
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    head, _, rest = answer.content.partition(b"\r\n\r\n")
    assert head.startswith(b"--" + boundary)
    return rest.removesuffix(b"\r\n--" + boundary + b"--\r\n")


# searches


def test_studies_series_and_instances_are_listed(opened):
    same_study = written(chest("1.2.840.99.4", SeriesInstanceUID="1.2.840.99.5"))
    client = opened(written(chest()), same_study, png(STORED // 16))
    studies = models(client.get("/dicomweb/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030"))
    assert [value(one, "00201208") for one in studies] == [2, 1]
    assert [value(one, "00201206") for one in studies] == [2, 1]
    assert [one["00080061"]["Value"] for one in studies] == [["CR"], ["OT"]]
    assert value(studies[0], "00081190") == f"{BASE}/dicomweb/studies/{value(studies[0], '0020000D')}"
    series = models(client.get(f"/dicomweb/studies/{value(studies[0], '0020000D')}/series"))
    assert [value(one, "00201209") for one in series] == [1, 1]
    assert len(models(client.get("/dicomweb/series"))) == 3
    instances = models(client.get("/dicomweb/instances"))
    assert [value(one, "00280010") for one in instances[:2]] == [12, 12]
    below = f"/dicomweb/studies/{value(series[1], '0020000D')}/series/{value(series[1], '0020000E')}/instances"
    assert models(client.get(below)) == [instances[1]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("PatientName=Doe*", 2), ("PatientName=doe?jane", 2), ("PatientName=Do", 0), ("PatientID=SECRET-4711", 2),
        ("PatientName=*", 3), ("00100020=SECRET*", 2), ("StudyDate=20240102", 1),
        ("StudyDate=20240101-20240102", 1), ("StudyDate=20240103-", 1),
        ("StudyDate=-20240103", 2), ("ModalitiesInStudy=CR", 2), ("ModalitiesInStudy=CR,OT", 3), ("Modality=OT", 1),
        ("PatientName=", 3), ("StudyInstanceUID=1.2.840.99.1,1.2.840.99.7", 2), ("PatientName=[a-z]*", 0), ("limit=1", 1),
        ("offset=2", 1), ("offset=9", 0), ("limit=0", 0), ("PatientName=***********************************************x", 0),
    ],
)  # fmt: skip
def test_matching(opened, query, count):
    other = written(chest("1.2.840.99.8", StudyInstanceUID="1.2.840.99.7", StudyDate="20240103"))
    client = opened(written(chest()), other, png(STORED // 16), show_names=True)
    assert len(models(client.get(f"/dicomweb/studies?{query}"))) == count


def test_what_is_left_out_is_said(opened):
    client = opened(*(png(STORED // 16 + number) for number in range(3)))
    assert "Warning" not in client.get("/dicomweb/studies").headers
    assert "There are 2 additional results" in client.get("/dicomweb/studies?limit=1").headers["Warning"]
    assert "fuzzymatching parameter is not supported" in client.get("/dicomweb/studies?fuzzymatching=true").headers["Warning"]


def test_films_that_there_was_no_time_for_are_counted(opened):
    client = opened(png(STORED // 16), png(STORED // 17), seconds=-1)
    answer = client.get("/dicomweb/studies")
    assert models(answer) == []
    assert answer.headers["Warning"] == '299 pneumoscope "2 films were not looked at yet: search again"'
    assert "2 films were not looked at yet" in client.get("/dicomweb/studies/1.2/metadata").json()["error"]["message"]


@pytest.mark.parametrize(
    "query",
    ["PatientWeight=3", "nothing=1", "limit=x", "limit=-1", "offset=1e3", "StudyDate=yesterday", f"PatientName={'*' * 300}"],
)
def test_a_query_that_is_not_understood_is_refused(opened, query):
    answer = opened().get(f"/dicomweb/studies?{query}")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "request")


def test_a_film_that_cannot_be_parsed_is_not_listed_and_one_object_is_listed_once(opened):
    client = opened(b"no film", written(chest()), written(chest()), png(STORED // 16)[:60])
    client.get(f"/api/v1/films/{client.workspace.films.films()[3].id}/pixels")  # its damage is known from now on
    assert len(models(client.get("/dicomweb/instances"))) == 1


def test_a_film_that_is_known_is_sent_while_another_search_looks_at_new_ones(opened):
    space = opened(png(STORED // 16)).workspace
    catalogue = Catalogue(space, search_seconds=60)
    (entry,), _ = catalogue.entries()
    space.films.add(png(STORED // 17))
    waiting, go_on = threading.Event(), threading.Event()

    def slow(*arguments):
        waiting.set()
        go_on.wait(60)
        return attributes_for_search(*arguments)

    catalogue.describe = slow
    searching = threading.Thread(target=catalogue.entries)
    searching.start()
    assert waiting.wait(60)
    catalogue.search_seconds = 0
    assert catalogue.below(*entry.uids) == [entry]
    assert catalogue.entries() == ([entry], 1)
    go_on.set()
    searching.join(60)
    catalogue.search_seconds = 60
    assert len(catalogue.entries()[0]) == 2


# retrievals


@pytest.mark.parametrize("show_names", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        png(STORED // 16), png(STORED, 16), jpeg(STORED // 16), written(chest()),
        written(chest(PhotometricInterpretation="MONOCHROME1")),
        written(chest(RescaleSlope=2, RescaleIntercept=-100, WindowCenter=4000, VOILUTFunction="SIGMOID")),
        written(cr(STORED - 2048, signed=True, WindowCenter=0, WindowWidth=3000)),
        written(cr(STORED // 16, bits=8)),
        written(cr(STORED, ModalityLUTSequence=lut(0, list(range(0, 8192, 2)), 13))),
        written(cr(STORED, VOILUTSequence=lut(0, [min(255, v // 8) for v in range(4096)], 8))),
    ],
)  # fmt: skip
def test_a_retrieved_film_has_the_same_grey_levels(opened, content, show_names):
    client = opened(content, show_names=show_names)
    (instance,) = models(client.get("/dicomweb/instances"))
    answer = client.get(path_of(instance), headers={"Accept": 'multipart/related; type="application/dicom"'})
    there = read(part_of(answer))
    np.testing.assert_array_equal(there.pixels, read(content).pixels)
    assert there.orientation == read(content).orientation
    metadata = models(client.get(path_of(instance) + "/metadata"))[0]
    frame = client.get(path_of(instance) + "/frames/1", headers={"Accept": 'multipart/related; type="application/octet-stream"'})
    pixels = pydicom.dcmread(io.BytesIO(part_of(answer))).pixel_array
    assert part_of(frame)[: pixels.nbytes] == pixels.tobytes()
    assert value(metadata, "00280010") * value(metadata, "00280011") == pixels.size
    assert metadata["7FE00010"]["BulkDataURI"] == f"{BASE}{path_of(instance)}/frames/1"


def test_a_compressed_film_is_decompressed_unless_it_is_asked_for_as_stored(opened):
    dataset = chest()
    dataset.compress(RLELossless, generate_instance_uid=False)
    content = written(dataset)
    client = opened(content, show_names=True)
    (instance,) = models(client.get("/dicomweb/instances"))
    accept = 'multipart/related; type="application/dicom"'
    assert part_of(client.get(path_of(instance), headers={"Accept": f"{accept}; transfer-syntax=*"})) == content
    plain = pydicom.dcmread(io.BytesIO(part_of(client.get(path_of(instance), headers={"Accept": accept}))))
    assert plain.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    np.testing.assert_array_equal(plain.pixel_array, STORED)
    assert (plain.PatientName, plain.StudyDate) == ("Doe^Jane", "20240102")


def test_bulk_data_lie_under_their_uri(opened):
    table = np.arange(4096, dtype="<u2").tobytes()
    client = opened(written(chest(VOILUTSequence=lut(0, table, 12, vr="OW", count=4096))))
    (metadata,) = models(client.get(path_of(models(client.get("/dicomweb/instances"))[0]) + "/metadata"))
    uri = metadata["00283010"]["Value"][0]["00283006"]["BulkDataURI"]
    assert client.get(uri, headers={"Accept": "application/octet-stream"}).content == table
    assert part_of(client.get(uri)) == table
    assert client.get(uri + "9").status_code == 404


def test_rendered_films_and_thumbnails(opened):
    pixels = RNG.integers(0, 256, (300, 400)).astype(np.uint8)
    client = opened(png(pixels))
    path = path_of(models(client.get("/dicomweb/instances"))[0])
    whole = Image.open(io.BytesIO(client.get(path + "/rendered", headers={"Accept": "image/png"}).content))
    np.testing.assert_array_equal(np.asarray(whole), pixels)
    jpegged = client.get(path + "/frames/1/rendered?viewport=200,200&quality=50")
    assert (jpegged.headers["content-type"], Image.open(io.BytesIO(jpegged.content)).size) == ("image/jpeg", (200, 150))
    for below in (path, path.rpartition("/instances")[0], path.rpartition("/series")[0]):
        assert Image.open(io.BytesIO(client.get(below + "/thumbnail").content)).size == (128, 96)
    for query in ("viewport=0,5", "viewport=5", "quality=0", "window=1,2,linear", "viewport=99999,1"):
        assert client.get(f"{path}/rendered?{query}").status_code == 400


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", "text/html"), ("", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90'),
        ("/metadata", "application/dicom+xml"), ("/rendered", "image/gif"), ("/frames/1", "image/jls"), ("", "*/*;q=0"),
        ("/frames/1", 'multipart/related; type="image/jpeg"'),
    ],
)  # fmt: skip
def test_other_media_types_are_refused(opened, path, accept):
    client = opened(png(STORED // 16))
    answer = client.get(path_of(models(client.get("/dicomweb/instances"))[0]) + path, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (406, "not_acceptable")


def test_what_is_not_there_is_404(opened):
    client = opened(png(STORED // 16))
    path = path_of(models(client.get("/dicomweb/instances"))[0])
    wrong = ("/dicomweb/studies/1.2.3", "/dicomweb/studies/1.2/series/1/metadata", f"{path}9", f"{path}/frames/2",
             f"{path}/frames/x", "/dicomweb/studies/..%2f..%2fetc/metadata", "/dicomweb/nothing")  # fmt: skip
    assert {client.get(one).status_code for one in wrong} == {404}
    client.workspace.close_film(client.workspace.films.films()[0].id)
    assert client.get(path).status_code == 404


# identifiers


def test_without_show_names_no_answer_holds_an_identifier(opened):
    client = opened(written(chest()), png(STORED // 16))
    answers = [client.get("/dicomweb/" + level) for level in ("studies", "series", "instances")]
    for instance in answers[-1].json():
        path = path_of(instance)
        answers += [client.get(path + end) for end in ("", "/metadata", "/frames/1", "/rendered", "/thumbnail")]
        stored = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        answers.append(client.get(path, headers=stored))
    sent = b"".join(answer.content + str(answer.headers).encode() for answer in answers)
    assert [secret for secret in (*SECRETS, "nobody") if secret.encode() in sent] == []


def test_what_stands_for_an_identifier_is_the_same_within_a_session_and_another_in_the_next(opened):
    contents = [written(chest()), written(chest("1.2.840.99.8")), written(chest("1.2.840.99.9", PatientID="other"))]
    first, second = (models(opened(*contents).get("/dicomweb/instances")) for _ in range(2))
    for tag in ("0020000D", "0020000E"):
        assert len({value(one, tag) for one in first}) == 1
        assert value(first[0], tag) != value(second[0], tag)
    patients = [value(one, "00100020") for one in first]
    assert patients[0] == patients[1] != patients[2]
    assert all(value(one, "00080018").startswith("2.25.") for one in first)


def test_a_derived_uid_is_a_uuid_and_each_part_of_its_origin_counts():
    uids = [Identifiers(key).derived_uid(*of) for key in (b"", b"k") for of in (("a",), ("b",), ("a", "b"), ("ab",))]
    assert len(set(uids)) == 8
    for uid in uids:
        number = uuid.UUID(int=int(uid.removeprefix("2.25.")))
        assert (number.version, number.variant) == (8, uuid.RFC_4122)
        assert pydicom.uid.UID(uid).is_valid


def test_with_show_names_a_film_is_served_as_it_is(opened):
    content = written(chest())
    client = opened(content, show_names=True)
    (instance,) = models(client.get("/dicomweb/instances"))
    assert path_of(instance) == "/dicomweb/studies/1.2.840.99.1/series/1.2.840.99.2/instances/1.2.840.99.3"
    assert value(instance, "00100010") == {"Alphabetic": "Doe^Jane"}
    stored = client.get(path_of(instance), headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    assert part_of(stored) == content
    assert b"SECRET-4711" in client.get(path_of(instance) + "/metadata").content


def test_values_in_the_wrong_place_do_not_come_along():
    dataset = chest(BodyPartExamined="DOE JANE", ViewPosition="DOE", Modality="CR", ImageType=["ORIGINAL", "DOE"])
    dataset.LossyImageCompressionMethod = "DOE"
    dataset.VOILUTSequence = lut(0, np.arange(4096, dtype="<u2").tobytes() + b"SECRET-4711 ", 12, vr="OW", count=4096)
    dataset.VOILUTSequence[0].LUTExplanation = "Doe"
    dataset.PixelData += b"Doe^Jane"
    made = dicom_object(written(dataset), "Film 1", Identifiers(b"k"))
    sent = made.file + made.metadata + b"".join(made.bulk.values())
    assert [secret for secret in (*SECRETS, "DOE") if secret.encode() in sent] == []
    assert pydicom.dcmread(io.BytesIO(made.file)).ImageType == "ORIGINAL"


def test_bits_beside_the_pixel_do_not_come_along():
    dataset = chest()
    dataset.PixelData = (STORED | 0x5000).astype("<u2").tobytes()  # an old overlay, which may be text
    made = dicom_object(written(dataset), "Film 1", Identifiers(b"k"))
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(made.file)).pixel_array, STORED)


# conformance


def errors_of(content, tmp_path):
    file = tmp_path / "object.dcm"
    file.write_bytes(content)
    said = subprocess.run([Path(sys.executable).with_name("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert any(line in ("SCImage", "CRImage") for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


@pytest.mark.parametrize("key", [b"", b"k"])
@pytest.mark.parametrize("content", [png(STORED // 16), png(STORED, 16), jpeg(STORED // 16)], ids=["8 bits", "12 bits", "JPEG"])
def test_the_wrapper_of_a_picture_is_a_valid_secondary_capture_image(content, key, tmp_path):
    assert errors_of(dicom_object(content, "Film 3", Identifiers(key)).file, tmp_path) == []


@pytest.mark.parametrize(
    "missing", [(), ("ViewPosition",), ("BodyPartExamined", "ViewPosition"), ("PatientOrientation", "StudyDate")]
)
def test_a_film_without_its_identifiers_is_a_valid_cr_image(tmp_path, missing):
    dataset = chest()
    for keyword in missing:
        delattr(dataset, keyword)
    assert errors_of(dicom_object(written(dataset), "Film 3", Identifiers(b"k")).file, tmp_path) == []


def test_the_wrapper_claims_nothing_that_is_not_known():
    made = pydicom.dcmread(io.BytesIO(dicom_object(jpeg(STORED // 16), "Film 3", Identifiers()).file))
    assert (made.Modality, made.PatientID, made.PatientSex, made.StudyDate) == ("OT", "", "", "")
    assert not {"ViewPosition", "BodyPartExamined", "PixelSpacing", "ImagerPixelSpacing", "BurnedInAnnotation"} & set(dir(made))
    assert (made.LossyImageCompression, made.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    unknown = pydicom.dcmread(io.BytesIO(dicom_object(png(STORED // 16), "Film 3", Identifiers()).file))
    assert "LossyImageCompression" not in unknown
    again = pydicom.dcmread(io.BytesIO(dicom_object(jpeg(STORED // 16), "Film 9", Identifiers()).file))
    assert again.SOPInstanceUID == made.SOPInstanceUID


def test_an_independent_client_searches_retrieves_and_stores(opened, tmp_path):
    client = opened(written(chest()), png(STORED // 16), stow=True)
    with live(client.workspace, client.application) as port:
        theirs = DICOMwebClient(
            f"http://127.0.0.1:{port}/dicomweb", headers={"Authorization": f"Bearer {client.workspace.options.token}"}
        )
        studies = theirs.search_for_studies()
        uid = value(studies[0], "0020000D")
        (instance,) = theirs.search_for_instances(uid)
        uids = [value(instance, tag) for tag in ("0020000D", "0020000E", "00080018")]
        np.testing.assert_array_equal(theirs.retrieve_instance(*uids).pixel_array, STORED)
        (frame,) = theirs.retrieve_instance_frames(*uids, frame_numbers=[1])
        assert frame == STORED.astype("<u2").tobytes()
        assert theirs.retrieve_study_metadata(uid)[0]["7FE00010"]["BulkDataURI"].endswith("/frames/1")
        assert theirs.retrieve_instance_rendered(*uids, media_types=("image/png",)).startswith(b"\x89PNG")
        stored = theirs.store_instances([chest("1.2.840.99.77"), chest("1.2.840.99.78", StudyInstanceUID="1.2.840.5")])
        assert [one.ReferencedSOPInstanceUID for one in stored.ReferencedSOPSequence] == ["1.2.840.99.77", "1.2.840.99.78"]
        assert len(theirs.search_for_studies()) == 3
        theirs._session.close()


# storing


def message(*contents, boundary="b"):
    parts = b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents)
    return {
        "content": parts + b"--b--\r\n",
        "headers": {"Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}'},
    }


def test_storing_is_off_by_default(opened):
    answer = opened().post("/dicomweb/studies", **message(written(chest())))
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "films are not taken here; start the server with --stow",
    )


def test_stored_films_are_opened_and_the_others_are_named(opened):
    client = opened(stow=True)
    answer = client.post("/dicomweb/studies", **message(written(chest()), b"no DICOM", png(STORED // 16)))
    assert answer.status_code == 202
    assert value(value(answer.json(), "00081199"), "00081155") == "1.2.840.99.3"
    assert [value(one, "00081197") for one in answer.json()["00081198"]["Value"]] == [0xC000, 0xC000]
    assert client.post("/dicomweb/studies/1.2.840.1", **message(written(chest()))).status_code == 409
    assert client.post("/dicomweb/studies/1.2.840.99.1", **message(written(chest("1.2.840.99.4")))).status_code == 200
    assert len(models(client.get("/dicomweb/instances"))) == 2


@pytest.mark.parametrize(
    "sent",
    [
        message(),
        message(b"x", boundary="other"),
        {"content": b"x", "headers": {"Content-Type": "application/dicom"}},
        {"content": b"x", "headers": {"Content-Type": "multipart/related"}},
        {"content": b"x"},
    ],
)
def test_a_body_that_is_no_message_is_refused(opened, sent):
    client = opened(stow=True)
    assert client.post("/dicomweb/studies", **sent).status_code == 400
    assert len(client.workspace.films) == 0


# access


def test_every_route_needs_the_token(opened):
    client = opened(png(STORED // 16), stow=True)
    path = path_of(models(client.get("/dicomweb/instances"))[0])
    for method, url in [("GET", "/dicomweb/studies"), ("GET", path), ("GET", path + "/frames/1"), ("POST", "/dicomweb/studies")]:
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
            assert client.request(method, url, headers=headers).status_code == 403


def test_a_page_of_another_origin_may_read_where_it_is_named_and_only_there(opened):
    token = "t" * 20
    client = opened(png(STORED // 16), access=Access(token, origins=(OHIF,)), token=token)
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    allowed = client.options("/dicomweb/studies", headers={"Origin": OHIF, "Authorization": "", **asked})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, OHIF)
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    answer = client.get("/dicomweb/studies", headers={"Origin": OHIF, "Sec-Fetch-Site": "same-site"})
    assert answer.headers["access-control-allow-origin"] == OHIF
    assert "access-control-allow-credentials" not in answer.headers
    assert client.get("/dicomweb/studies", headers={"Origin": OHIF, "Authorization": ""}).status_code == 403
    other = client.options("/dicomweb/studies", headers={"Origin": "https://evil.example", **asked})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers
    assert client.get("/dicomweb/studies", headers={"Origin": "https://evil.example"}).status_code == 403
