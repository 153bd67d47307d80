"""Films from a DICOMweb server that misbehaves in every way that can be thought of."""

import gzip
import json
import logging
import ssl
import threading

import httpx2
import pytest
import trustme

from pneumoscope.web.dicomweb import address, connection, origin_server
from pneumoscope.web.dicomweb.connection import Connection
from pneumoscope.web.dicomweb.credentials import PASSWORD, TOKEN, USER, check_unambiguous, credentials_for
from pneumoscope.web.dicomweb.errors import AddressError, CredentialsError, RefusedAnswerError, UnreachableError
from pneumoscope.web.dicomweb.origin_server import OriginServer
from tests.radiograph.builders import cr, written
from tests.web.dicomweb_fakes import item, one_part, search_answer, serving

SECRET = "SECRET-4711"
FILE = written(cr([[0, 4095], [1, 2]]))


@pytest.fixture(autouse=True)
def _no_credentials_but_those_of_the_test(monkeypatch, tmp_path):
    for name in (TOKEN, USER, PASSWORD, "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "*")


def paged(items):
    """A server that pages as the Standard says and has the instances under their modality."""

    def answer(request):
        if request.path != "/dw/instances":
            return one_part(FILE)
        start = int(request.query["offset"])
        matching = [one for one in items if one["00080060"]["Value"] == [request.query["Modality"]]]
        return search_answer(matching[start : start + int(request.query["limit"])])

    return answer


def listed(url):
    with OriginServer(address.parse(url)) as server:
        return list(server.films())


def test_films_of_all_projection_modalities_are_listed_and_loaded_when_asked():
    with serving(paged([item("1.1", "CR"), item("1.2", "DX"), item("1.3", "RG"), item("1.4", "CT")])) as (origin, requests):
        with OriginServer(address.parse(f"{origin}/dw/")) as server:
            films = list(server.films())
            assert [film.uids[2] for film in films] == ["1.1", "1.2", "1.3"]
            assert all(request.path == "/dw/instances" for request in requests)
            assert films[1].load() == FILE
        assert requests[-1].path == "/dw/studies/1.2.3/series/1.2.3.4/instances/1.2"
        assert requests[-1].headers["accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'


def test_neither_film_nor_server_shows_a_patient():
    with (
        serving(paged([item("1.1", **{"00100020": SECRET, "00080020": "20240102"})])) as (origin, _),
        OriginServer(address.parse(f"{origin}/dw?PatientID={SECRET}")) as server,
    ):
        (film,) = server.films()
        shown = repr(film) + repr(server) + repr(server._address)
    assert film.label == f"{SECRET} 20240102"
    assert SECRET not in shown
    assert "1.2.3" not in shown


def test_the_matching_attributes_are_passed_on():
    with serving(paged([])) as (origin, requests):
        assert listed(f"{origin}/dw?PatientID=A%26B&Modality=DX&StudyDate=20240101-") == []
    assert [request.query for request in requests] == [
        {"PatientID": "A&B", "StudyDate": "20240101-", "Modality": "DX", "limit": "200", "offset": "0"}
    ]


def test_pages_are_asked_for_until_one_is_empty():
    items = [item(f"1.{number}") for number in range(450)]
    with serving(paged(items)) as (origin, requests):
        assert len(listed(f"{origin}/dw?Modality=DX")) == 450
    assert [request.query["offset"] for request in requests] == ["0", "200", "400", "450"]


def test_the_limit_ends_the_search():
    with serving(paged([item(f"1.{number}") for number in range(450)])) as (origin, requests):
        with OriginServer(address.parse(f"{origin}/dw?Modality=DX&limit=7")) as server:
            assert (len(list(server.films())), server.has_more) == (7, True)
        assert len(requests) == 1
        with OriginServer(address.parse(f"{origin}/dw?Modality=DX&limit=450")) as server:
            assert (len(list(server.films())), server.has_more) == (450, False)


def test_a_server_that_ignores_limit_and_offset_has_sent_all():
    items = [item(f"1.{number}") for number in range(450)]
    with serving(lambda _: search_answer(items)) as (origin, _):
        assert len(listed(f"{origin}/dw?Modality=DX")) == 450


def test_a_server_that_ignores_the_offset_is_not_taken_for_complete():
    items = [item(f"1.{number}") for number in range(450)]
    with (
        serving(lambda request: search_answer(items[: int(request.query["limit"])])) as (origin, _),
        pytest.raises(RefusedAnswerError, match="does not page through its results"),
    ):
        listed(f"{origin}/dw?Modality=DX")


def test_a_server_that_ignores_the_modality_lists_no_ct():
    def answer(request):
        return search_answer([item("1.1", "CT"), item("1.2", "DX")] if request.query["offset"] == "0" else [])

    with serving(answer) as (origin, _):
        assert [film.uids[2] for film in listed(f"{origin}/dw?Modality=DX")] == ["1.2"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {}, b"<html>"), "sent something else than DICOM was asked for"),
        ((200, {}, b'{"error": "SECRET-4711"}'), "sent something else than DICOM was asked for"),
        ((200, {}, b"[" * 100_000), "sent something else than DICOM was asked for"),
        ((200, {}, json.dumps([item("../../../x")]).encode()), "without valid UIDs"),
        ((200, {}, json.dumps([item("1." * 40)]).encode()), "without valid UIDs"),
        ((200, {}, json.dumps([{"00080018": 7}]).encode()), "without valid UIDs"),
        ((401, {}, b""), "status 401: it asks for credentials"),
        ((403, {}, b""), "status 403: the credentials may not"),
        ((404, {}, b""), "status 404: it has no such resource"),
        ((413, {}, b""), "status 413: the query has too many results"),
        ((500, {}, SECRET.encode()), "status 500: ask who runs"),
        ((302, {"Location": "http://other.example/dw/instances"}, b""), r"another origin \(http://other\.example\)"),
        ((302, {"Location": "https://127.0.0.1/dw"}, b""), r"another origin \(https://127\.0\.0\.1\)"),
        ((302, {"Location": "file:///etc/passwd"}, b""), r"another origin \(none that could be parsed\)"),
        ((302, {}, b""), "redirects more than 3 times"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), "compression is damaged"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(2**26 + 2**17))), "sends more than the 67,108,864 bytes"),
    ],
)
def test_a_bad_answer_is_one_sentence_that_quotes_nothing(answer, sentence):
    with serving(lambda _: answer) as (origin, _), pytest.raises(RefusedAnswerError, match=sentence) as error:
        listed(f"{origin}/dw?PatientID={SECRET}")
    assert str(error.value).startswith(f"the DICOMweb server {origin} ")
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None or SECRET not in str(error.value.__cause__)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>"), "something else than DICOM"),
        ((200, {"Content-Type": 'multipart/related; boundary="x"'}, b"--x\r\n\r\nabc"), "something else than DICOM"),
        ((200, {"Content-Type": 'multipart/related; boundary="x"'}, b"--x--\r\n"), "something else than DICOM|sent 0 parts"),
        (
            (200, {"Content-Type": "multipart/related; boundary=x"}, b"--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--\r\n"),
            "sent 2 parts for one instance",
        ),
    ],
)
def test_a_bad_instance_is_one_sentence(answer, sentence):
    with (
        serving(lambda _: answer) as (origin, _),
        OriginServer(address.parse(f"{origin}/dw")) as server,
        pytest.raises(RefusedAnswerError, match=sentence) as error,
    ):
        server.retrieve(("1.2.777", "1.2", "1.2"))
    assert "1.2.777" not in str(error.value)


def test_an_instance_without_its_message_of_parts_is_taken():
    with (
        serving(lambda _: (200, {"Content-Type": "application/dicom"}, FILE)) as (origin, _),
        OriginServer(address.parse(f"{origin}/dw")) as server,
    ):
        assert server.retrieve(("1", "2", "3")) == FILE


def test_a_film_that_is_too_large_is_not_read_on(monkeypatch):
    monkeypatch.setattr(origin_server, "MAX_FILE_BYTES", 1000)
    with (
        serving(lambda _: one_part(bytes(2**17))) as (origin, _),
        OriginServer(address.parse(f"{origin}/dw")) as server,
        pytest.raises(RefusedAnswerError, match="sends more than the 66,536 bytes"),
    ):
        server.retrieve(("1", "2", "3"))


def test_a_redirect_within_the_origin_is_followed_with_the_credentials(monkeypatch):
    monkeypatch.setenv(TOKEN, "token-1")

    def answer(request):
        if request.path.startswith("/new"):
            return paged([])(request) if request.path == "/dw/instances" else search_answer([])
        return 307, {"Location": "/new/instances?limit=200&offset=0&Modality=DX"}, b""

    with serving(answer) as (origin, requests):
        assert listed(f"{origin}/dw?Modality=DX") == []
    assert [(request.path, request.headers["authorization"]) for request in requests] == [
        ("/dw/instances", "Bearer token-1"),
        ("/new/instances", "Bearer token-1"),
    ]


def test_no_other_server_ever_gets_a_request():
    with (
        serving(lambda _: search_answer([])) as (other, stolen),
        serving(lambda _: (302, {"Location": f"{other}/instances"}, b"")) as (origin, _),
        pytest.raises(RefusedAnswerError, match="another origin"),
    ):
        listed(f"{origin}/dw")
    assert stolen == []


def test_a_slow_server_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(connection, "READ_S", 0.05)
    left = threading.Event()
    with serving(lambda _: left.wait(60) and search_answer([])) as (origin, _):
        try:
            with pytest.raises(UnreachableError, match=r"did not answer within 0\.05 seconds"):
                listed(f"{origin}/dw")
        finally:
            left.set()


def test_an_answer_that_trickles_ends_as_a_whole():
    with (
        serving(lambda _: search_answer([])) as (origin, _),
        Connection(address.parse(origin), whole_s=-1) as connected,
        pytest.raises(UnreachableError, match="did not send its answer within -1 seconds"),
    ):
        connected.get("/x", "*/*", 100)


def test_a_server_that_is_not_there():
    with serving(lambda _: search_answer([])) as (origin, _):
        pass
    with pytest.raises(UnreachableError, match="could not be reached") as error:
        listed(f"{origin}/dw?PatientID={SECRET}")
    assert SECRET not in str(error.value)


def certified(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_certificates_are_verified(monkeypatch, tmp_path):
    authority = trustme.CA()
    with serving(paged([item("1.1")]), tls=certified(authority)) as (origin, requests):
        with pytest.raises(UnreachableError, match="a certificate that is not trusted"):
            listed(f"{origin}/dw")
        assert requests == []
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert len(listed(f"{origin}/dw")) == 1


def test_https_on_a_port_that_speaks_http():
    with serving(paged([])) as (origin, _), pytest.raises(UnreachableError, match="does not speak TLS"):
        listed(origin.replace("http:", "https:") + "/dw")


def test_nothing_of_patient_or_credentials_is_logged(monkeypatch, caplog):
    monkeypatch.setenv(TOKEN, "token-1")
    caplog.set_level(logging.DEBUG)
    with (
        serving(paged([item("1.7.7.7", **{"00100020": SECRET})])) as (origin, _),
        OriginServer(address.parse(f"{origin}/dw?PatientID={SECRET}")) as server,
    ):
        for film in server.films():
            film.load()
    assert not [word for word in (SECRET, "1.7.7.7", "token-1") if word in caplog.text]


# credentials


def header_of(auth, url="https://host/x"):
    request = next(auth.auth_flow(httpx2.Request("GET", url)))
    return request.headers["Authorization"]


def test_a_token_and_a_password_come_from_the_environment():
    there = address.parse("https://host/dw")
    assert header_of(credentials_for(there, {TOKEN: "abc"})) == "Bearer abc"
    assert header_of(credentials_for(there, {USER: "alice", PASSWORD: "wonder"})) == "Basic YWxpY2U6d29uZGVy"
    assert credentials_for(there, {"NETRC": "/nowhere"}) is None


def test_netrc_gives_each_host_its_own(tmp_path):
    file = tmp_path / "netrc"
    file.write_text("machine a.example login alice password wonder\nmachine b.example login bob password builder\n")
    file.chmod(0o600)
    environ = {"NETRC": str(file)}
    assert header_of(credentials_for(address.parse("https://a.example/dw"), environ)) == "Basic YWxpY2U6d29uZGVy"
    assert header_of(credentials_for(address.parse("https://b.example"), environ)) == "Basic Ym9iOmJ1aWxkZXI="
    assert credentials_for(address.parse("https://c.example"), environ) is None


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({TOKEN: "s3cret", USER: "alice"}, "set one kind of credentials"),
        ({USER: "alice"}, "set both or none"),
        ({PASSWORD: "s3cret"}, "set both or none"),
        ({TOKEN: "s3cret\nX: y"}, "characters that no HTTP header can carry"),
    ],
)
def test_credentials_that_cannot_be_used(environ, sentence):
    with pytest.raises(CredentialsError, match=sentence) as error:
        credentials_for(address.parse("https://host"), environ)
    assert "s3cret" not in str(error.value)


def test_a_damaged_netrc_is_not_quoted(tmp_path):
    (tmp_path / "netrc").write_text("machine a.example login alice pasword s3cret")
    with pytest.raises(CredentialsError, match="the netrc file cannot be parsed") as error:
        credentials_for(address.parse("https://a.example"), {"NETRC": str(tmp_path / "netrc")})
    assert "s3cret" not in f"{error.value}{error.value.__cause__}"


@pytest.mark.parametrize("url", ["http://pacs.example/dw", "http://10.0.0.1/dw"])
def test_credentials_are_not_sent_readable_over_a_network(url):
    with pytest.raises(CredentialsError, match="readable for everyone on the way"):
        credentials_for(address.parse(url), {TOKEN: "s3cret"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8042/dw", "http://localhost/dw", "http://[::1]/dw"])
def test_this_machine_may_be_asked_without_tls(url):
    assert credentials_for(address.parse(url), {TOKEN: "abc"}) is not None


def test_one_secret_is_not_sent_to_two_servers():
    one, same, other = (address.parse(url) for url in ("https://a/x", "https://a/y", "https://b/x"))
    check_unambiguous([one, same], {TOKEN: "s3cret"})
    check_unambiguous([one, other], {})
    with pytest.raises(CredentialsError, match="several DICOMweb servers are named") as error:
        check_unambiguous([one, other], {TOKEN: "s3cret"})
    assert "s3cret" not in str(error.value)


# addresses


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://alice:s3cret@host/dw", "put them into ~/.netrc"),
        ("https://s3cret@host/dw", "put them into ~/.netrc"),
        ("ftp://host/dw", "no scheme http or https"),
        ("https:///dw", "no scheme http or https, or no host"),
        ("https://host:99999/dw", "cannot be parsed"),
        ("https://[::1/dw", "cannot be parsed"),
        ("https://host/dw#s3cret", "has a fragment"),
        ("https://host/dw/studies/1.2.3", "below the root"),
        ("https://host/dw/instances", "below the root"),
        ("https://host/dw?s3cret=1", "no DICOM attribute"),
        ("https://host/dw?offset=5", "no DICOM attribute"),
        ("https://host/dw?PatientID", "not of the form attribute=value"),
        ("https://host/dw?PatientID=s3cret&PatientID=s3cret", "an attribute twice"),
        ("https://host/dw?Modality=CT", "a Modality other than CR, DX, RG"),
        ("https://host/dw?limit=0", "not a number of films"),
        ("https://host/dw?limit=many", "not a number of films"),
    ],
)
def test_a_url_that_cannot_be_used(url, sentence):
    with pytest.raises(AddressError, match=sentence) as error:
        address.parse(url)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://Host.Example:443/dw/", "https://host.example", "/dw"),
        ("http://host:8042", "http://host:8042", ""),
        ("http://[::1]:80/a/b", "http://[::1]", "/a/b"),
    ],
)
def test_origin_and_path(url, origin, path):
    parsed = address.parse(url)
    assert (parsed.origin, parsed.path) == (origin, path)
    assert address.origin_of(url) == origin
