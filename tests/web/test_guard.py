"""Who may use the server: tokens, hosts, origins, and the headers of every answer."""

import pytest
from starlette.testclient import TestClient

from pneumoscope.reader import Reader
from pneumoscope.web import static_files
from pneumoscope.web.app import OPERATIONS, build
from pneumoscope.web.guard import TOKEN_HEADER, Access
from tests.web.api_client import BASE, ApiClient
from tests.web.workspaces import workspace

TOKEN = "secret"


@pytest.fixture(scope="module")
def made(glass):
    made = workspace(Reader.load(glass, threads=1))
    yield made
    made.close()


@pytest.fixture
def client(made):
    """A client without a token."""
    return TestClient(build(made, Access(TOKEN)), base_url=BASE)


def get(client, path="/api/v1/films", token=TOKEN, **headers):
    return client.get(path, headers={TOKEN_HEADER: token} | {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_route_of_the_api_needs_the_token(client, operation):
    path = "/api/v1" + operation.path.replace("{", "").replace("}", "")
    for headers in ({}, {TOKEN_HEADER: "wrong"}, {TOKEN_HEADER: ""}, {"Authorization": "Bearer wrong"}):
        answer = client.request(operation.method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "token")


@pytest.mark.parametrize(
    "path", ["/dicomweb", "/dicomweb/studies", "/api/", "/api/v1/nothing", "/api/v1/films/../films", "/%61pi/v1/films"]
)
def test_paths_below_the_api_and_dicomweb_need_the_token_even_where_nothing_is(client, path):
    assert client.get(path).status_code == 403


@pytest.mark.parametrize(
    "path", ["//api/v1/films", "/API/v1/films", "/static/../api/v1/films", "/./api/v1/films", "/x/../api/v1/films"]
)
def test_no_other_spelling_of_a_path_leads_to_the_api(client, path):
    for scope_path in (path, path.replace("/..", "/%2e%2e")):
        answer = client.get(f"{BASE}{scope_path}")
        assert answer.status_code in (403, 404)
        assert "items" not in answer.text


def test_the_token_is_taken_as_a_header_or_as_a_bearer(client):
    assert get(client).status_code == 200
    assert client.get("/api/v1/films", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get(f"/api/v1/films?token={TOKEN}").status_code == 403
    assert get(client, token="sécret".encode()).status_code == 403


def test_the_page_needs_no_token(client):
    for path in ("/", "/static/none.js"):
        assert client.get(path).status_code in (200, 404)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1"]
)
@pytest.mark.parametrize("path", ["/", "/static/a.js", "/api/v1/films"])
def test_another_name_is_refused_as_dns_rebinding_would_use_it(client, host, path):
    answer = get(client, path, host=host)
    assert answer.status_code == 403
    assert "does not go by this name" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7:80", "LOCALHOST"])
def test_own_names_and_addresses_are_taken(client, host):
    assert get(client, host=host).status_code == 200


def test_a_further_name_is_taken_where_the_server_goes_by_it(made):
    client = TestClient(build(made, Access(TOKEN, hosts=("reading-room",))), base_url=BASE)
    assert get(client, host="reading-room:80").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8081"},
        {"origin": "https://127.0.0.1:8080"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": BASE, "sec_fetch_site": "cross-site"},
    ],
)
def test_pages_of_other_origins_are_refused_even_with_the_token(client, headers):
    answer = get(client, **headers)
    assert answer.status_code == 403
    assert "another origin" in answer.json()["error"]["message"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("headers", [{"origin": BASE}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}])
def test_the_own_page_is_taken(client, headers):
    assert get(client, **headers).status_code == 200


def test_an_origin_that_is_allowed_is_taken(made):
    client = TestClient(build(made, Access(TOKEN, origins=("http://127.0.0.1:3000",))), base_url=BASE)
    assert get(client, origin="http://127.0.0.1:3000", sec_fetch_site="same-site").status_code == 200
    assert get(client, origin="http://127.0.0.1:3001").status_code == 403


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/none.js", "/api/v1/films", "/api/v1/nowhere"])
def test_every_answer_carries_the_headers_of_safety(client, path):
    headers = get(client, path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    if path.startswith("/api"):
        assert headers["cache-control"] == "no-store"


def test_an_unexpected_error_is_one_sentence_without_its_text_and_carries_the_headers(made, monkeypatch, caplog):
    def fail(_):
        raise ValueError("Patient^Name")

    monkeypatch.setattr(type(made.films), "films", fail)
    client = TestClient(build(made, Access(TOKEN)), base_url=BASE, raise_server_exceptions=False)
    answer = get(client)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "unexpected")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Patient" not in answer.text + caplog.text
    assert "unexpected ValueError at" in caplog.text


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    (folder / "viewer").mkdir(parents=True)
    (folder / "viewer" / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "viewer" / "viewer.js").write_text("export {};")
    (folder / "vendor.wasm").write_bytes(b"\0asm")
    (folder / "notes.md").write_text("not for clients")
    (folder / ".hidden.js").write_text("1")
    (tmp_path / "secret.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "secret.js")
    monkeypatch.setattr(static_files, "STATIC", folder)
    return folder


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/static/viewer/viewer.js", "text/javascript; charset=utf-8"),
        ("/static/vendor.wasm", "application/wasm"),
    ],
)
def test_static_files_have_their_type_and_an_etag(client, static, path, media_type):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    etag = answer.headers["etag"]
    assert etag.startswith('"')
    again = client.get(path, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    (static / "viewer" / "viewer.js").write_text("export {}; // changed")
    (static / "vendor.wasm").write_bytes(b"\0asm1")
    (static / "viewer" / "index.html").write_text("changed")
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret.js", "/static/%2e%2e/secret.js", "/static/..%2fsecret.js", "/static/%2e%2e%2fsecret.js",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/viewer/../../secret.js", "/static/..\\secret.js",
        "/static/link.js", "/static/notes.md", "/static/viewer", "/static/", "/static/a%00.js", "/static/" + "a" * 5000 + ".js",
        "/static/....//secret.js", "/static/viewer/%252e%252e/%252e%252e/secret.js",
    ],
)  # fmt: skip
def test_nothing_outside_of_the_static_files_is_served(client, static, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_ids_are_no_paths(made):
    client = ApiClient(made)
    for id in ("..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "..", "a%00"):
        for path in (f"/api/v1/films/{id}", f"/api/v1/films/{id}/pixels", f"/api/v1/models/{id}/card"):
            assert client.get(path).status_code == 404
