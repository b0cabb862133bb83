# SPDX-License-Identifier: Apache-2.0
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kelp.cli.page_server import page_app, serving
from kelp.cli.up_page import up_page
from kelp.errors import EnvironmentFault

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOW = {"requestsPerS": 12.5, "refusedPerS": 0.125, "failedPerS": 1.25, "p50Ms": 0.8, "p99Ms": 3.25}
MODEL = {"name": "<img src=x onerror=alert(1)>", "version": "3", "isChampion": True, "requests": 1234}
STATE = {
    "time": "2026-01-01T00:00:00Z",
    "isAnswering": True,
    "models": [{**MODEL, "refused": 1, "failed": 1, "rates": [1, 2, 3], "now": NOW}],
    "records": [
        {"seq": 7, "time": "2026-01-01T00:00:00.000000Z", "actor": "user:a", "action": "model.load", "subject": "<b>x"}
    ],
}
# A frame has the width of its own viewport; the page's own policy lets no script of a test run inside.
FRAME = """<!doctype html><iframe src="/framed" width="400" height="900" onload="
  const page = this.contentDocument, root = page.documentElement;
  const wait = setInterval(() => {
    if (!page.querySelector('article')) return;
    clearInterval(wait);
    document.body.dataset.found = JSON.stringify({
      title: page.querySelector('article h3').innerText,
      facts: [...page.querySelectorAll('article dl > div')].map((pair) => pair.innerText.split(/\\s*\\n\\s*/)),
      state: page.querySelector('#state').innerText,
      record: page.querySelector('#lines').innerText,
      made: page.querySelectorAll('img, b').length,
      overflow: root.scrollWidth - root.clientWidth,
    });
  }, 50);
"></iframe>"""


def test_the_page_and_its_state_are_served_to_be_read_only() -> None:
    with serving(page_app("<p>page", lambda: STATE), 0) as address, httpx.Client(base_url=address) as client:
        assert address.startswith("http://127.0.0.1:")
        assert client.get("/").text == "<p>page"
        assert client.get("/state.json").json() == STATE
        assert client.head("/").status_code == 200
        assert [client.request(method, "/state.json").status_code for method in ("POST", "PUT", "DELETE")] == [405] * 3
        assert client.get("/etc/passwd").status_code == 404
        headers = client.get("/").headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1:80", 200, id="address"),
        pytest.param("localhost", 200, id="localhost"),
        pytest.param("evil.example", 400, id="another name"),
        pytest.param("127.0.0.1.evil.example", 400, id="a name that begins alike"),
        pytest.param("", 400, id="none"),
    ],
)
def test_a_name_that_points_here_from_elsewhere_is_refused(host: str, status: int) -> None:
    with serving(page_app("", lambda: STATE), 0) as address:
        assert httpx.get(f"{address}state.json", headers={"host": host}).status_code == status


def test_a_taken_port_is_named() -> None:
    with serving(page_app("", dict), 0) as address:
        port = int(address.rsplit(":", 1)[1].rstrip("/"))
        with pytest.raises(EnvironmentFault, match=f"port {port} is taken"), serving(page_app("", dict), port):
            pass


def test_the_policy_lets_the_page_run_its_own_script_and_ask_its_own_server_only() -> None:
    page = up_page("http://127.0.0.1:8080")
    assert re.search(
        r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[^']+'; connect-src 'self'", page
    )
    assert not re.search(r'(src|href)="?(https?:)?//', page)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a person sees on a telephone."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")

    async def frame(request: Request) -> Response:
        return HTMLResponse(FRAME)

    async def framed(request: Request) -> Response:
        return HTMLResponse(up_page("http://127.0.0.1:8080"))

    async def state(request: Request) -> Response:
        return JSONResponse(STATE)

    routes = [Route("/", frame), Route("/framed", framed), Route("/state.json", state)]
    profile: Path = tmp_path_factory.mktemp("profile")
    with serving(Starlette(routes=routes), 0) as address:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--virtual-time-budget=10000", "--dump-dom", address]
        dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    match = re.search(r'data-found="([^"]*)"', dumped)
    assert match is not None, dumped[:2_000]
    values: dict[str, Any] = json.loads(match[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">"))
    return values


def test_the_browser_shows_what_the_state_says(found: dict[str, Any]) -> None:
    assert found["state"] == "answering"
    assert found["facts"] == [
        ["requests/s", "12.5"],
        ["p50", "0.80 ms"],
        ["p99", "3.25 ms"],
        ["requests", "1,234"],
        ["refused (4xx)", "1.0 %"],
        ["failed (5xx)", "10.0 %"],
    ]
    assert "model.load" in found["record"]


def test_names_are_text_and_never_markup(found: dict[str, Any]) -> None:
    assert found["title"].startswith("<img src=x onerror=alert(1)>")
    assert "<b>x" in found["record"]
    assert found["made"] == 0


def test_the_page_is_not_wider_than_a_telephone(found: dict[str, Any]) -> None:
    assert found["overflow"] == 0
