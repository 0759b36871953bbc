from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from counterstain.errors import InvalidInputError
from counterstain.explorer import create_app
from counterstain.explorer.guard import LARGEST_BODY

BASE = "http://127.0.0.1:8765"
MARK = {"kind": "faulty_field", "number": 0}
STATIC = Path(__file__).parents[3] / "src" / "counterstain" / "explorer" / "static"


@pytest.mark.parametrize(
    "path", ["/", "/api/run", "/static/app.js", "/nothing", "/api/items/99999"]
)
def test_every_answer_carries_the_strict_policy(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../guard.py", "/static/%2e%2e/guard.py", "/static/..%2fguard.py", "/static/",
        "/static", "/../run.json", "/api/items/..%2f..%2frun.json", "/api/sheets/..%2frun.webp",
        "/api/sheets/-1.webp", "/api/wells/-1", "/api/items/-1", "/api/fields/-1", "/api/plates/-1",
        "/api", "/run.json", "/tables/wells.parquet", "/docs", "/openapi.json",
    ],
)  # fmt: skip
def test_no_path_leaves_what_is_served_and_nothing_is_listed(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert "run.json" not in answer.text
    assert "guard" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a b"])
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/run", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:1", "[::1]:8765"])
def test_this_machine_is_let_in(client: TestClient, host: str) -> None:
    assert client.get("/api/run", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_other_origins_cannot_write(a_run: Path, headers: dict[str, str]) -> None:
    client = TestClient(create_app(a_run), base_url=BASE)
    assert client.post("/api/annotations", json=MARK, headers=headers).status_code == 403
    assert not (a_run / "annotations.csv").exists()
    own = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/annotations", json=MARK, headers=own).status_code == 201


def test_a_form_of_another_page_is_no_json(client: TestClient) -> None:
    text = '{"kind": "faulty_field", "number": 0}'
    plain = {"Content-Type": "text/plain"}
    assert client.post("/api/annotations", content=text, headers=plain).status_code == 415


def test_long_bodies_are_refused_whatever_their_header_says(client: TestClient) -> None:
    json = {"Content-Type": "application/json"}
    long = b'{"note": "' + b"x" * LARGEST_BODY + b'"}'
    assert client.post("/api/annotations", content=long, headers=json).status_code == 413

    def parts():
        for _ in range(40):
            yield b"x" * 1024

    assert client.post("/api/annotations", content=parts(), headers=json).status_code == 413


def test_a_token_is_needed_where_there_is_one(a_run: Path) -> None:
    client = TestClient(create_app(a_run, token="s3cret"), base_url=BASE, follow_redirects=False)
    for path in ("/", "/api/run", "/static/app.js", "/?token=wrong", "/api/run?token=s3cret"):
        assert client.get(path).status_code == 401
    bearer = {"Authorization": "Bearer s3cret"}
    assert client.get("/api/run", headers=bearer).status_code == 200
    assert client.get("/api/run", headers={"Authorization": "Bearer s3cre"}).status_code == 401
    opened = client.get("/?token=s3cret")
    assert opened.status_code == 303
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api/run").status_code == 200


def test_other_machines_are_not_let_in_without_a_token(a_run: Path) -> None:
    with pytest.raises(InvalidInputError, match="`token` must be given"):
        create_app(a_run, host="0.0.0.0")
    app = create_app(a_run, host="0.0.0.0", token="s3cret")
    client = TestClient(app, base_url="http://192.168.1.5:8765")
    assert client.get("/api/run").status_code == 401
    named = {"Host": "evil.example", "Authorization": "Bearer s3cret"}
    assert client.get("/api/run", headers=named).status_code == 421


def test_the_page_loads_nothing_from_elsewhere_and_makes_no_markup_of_text() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        remote = re.sub(r'xmlns="http://www\.w3\.org/2000/svg"', "", text)
        assert "http://" not in remote, path.name
        assert "https://" not in remote, path.name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, path.name
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", index)
    assert " style=" not in index
