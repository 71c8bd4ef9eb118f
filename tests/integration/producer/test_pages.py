"""The producer's pages and scripts: what a strict Content-Security-Policy and accessibility ask for."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from producer.config import Settings
from tests.project import ROOT

PRODUCER = ROOT / "producer_service" / "producer"
PAGES = ["/", "/docs"]
TEMPLATES = sorted((PRODUCER / "templates").glob("*.html"))
OUR_SCRIPTS = sorted((PRODUCER / "static").glob("*.js"))
STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


class PageParser(HTMLParser):
    """The inline parts of a page that a strict policy would refuse, and the files that the page loads."""

    def __init__(self, html: str):
        super().__init__()
        self.inline: list[str] = []
        self.files: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        is_inline = tag == "style" or (tag == "script" and "src" not in given)
        if is_inline or any(name == "style" or name.startswith("on") for name in given):
            self.inline.append(self.get_starttag_text() or tag)
        if tag in ("script", "link", "img"):
            self.files.append(given.get("src") or given.get("href") or "")


def policy(api: FlaskClient, path: str) -> dict[str, str]:
    header = api.get(path, buffered=True).headers["Content-Security-Policy"]
    return dict(directive.strip().split(" ", 1) for directive in header.split(";"))


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/orders", "/nowhere", "/static/pages.css"])
def test_content_security_policy_is_strict_everywhere(api: FlaskClient, path: str) -> None:
    assert policy(api, path) == STRICT


def test_content_security_policy_of_the_docs_allows_swagger_ui_icons(api: FlaskClient) -> None:
    assert policy(api, "/docs") == STRICT | {"img-src": "'self' data:"}


@pytest.mark.parametrize("path", PAGES)
def test_page_has_nothing_inline_and_loads_only_our_own_files(api: FlaskClient, path: str) -> None:
    page = PageParser(api.get(path).text)
    assert page.inline == []
    assert page.files
    for file in page.files:
        assert re.match(r"/(?!/)", file)
        assert api.get(file, buffered=True).status_code == 200


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_nothing_inline(template: Path) -> None:
    assert PageParser(template.read_text()).inline == []


@pytest.mark.parametrize("script", OUR_SCRIPTS, ids=lambda path: path.name)
def test_script_never_turns_data_into_markup_or_code(script: Path) -> None:
    text = script.read_text()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("script", OUR_SCRIPTS, ids=lambda path: path.name)
def test_modules_that_a_script_imports_exist(script: Path) -> None:
    for name in re.findall(r'from "\./(.+?)"', script.read_text()):
        assert (script.parent / name).is_file()


@pytest.mark.parametrize("path", PAGES)
def test_page_has_one_heading_a_title_and_a_language(api: FlaskClient, path: str) -> None:
    html = api.get(path).text
    assert html.count("<h1>") == 1
    assert '<html lang="en">' in html
    assert re.search(r"<title>.+ · Order stream</title>", html)


def test_every_control_of_the_checkout_page_is_labelled(api: FlaskClient) -> None:
    html = api.get("/").text
    controls = re.findall(r'<input id="(\w+)"', html)
    assert len(controls) == 6
    for control in controls:
        assert f'<label for="{control}">' in html
        assert f'id="{control}-error"' in html


def test_pages_link_to_the_dashboard(api: FlaskClient, settings: Settings) -> None:
    address = settings.consumer_url
    assert all(f'href="{address}"' in api.get(path).text for path in PAGES)


def test_swagger_ui_files_match_their_published_hashes() -> None:
    folder = PRODUCER / "static" / "swagger"
    published = dict(
        re.findall(r"^ {4}([0-9a-f]{64})  (\S+)$", (folder / "README.md").read_text(), re.MULTILINE)
    )
    found = {hashlib.sha256(file.read_bytes()).hexdigest(): file.name for file in folder.iterdir()}
    assert published == {sha256: name for sha256, name in found.items() if name != "README.md"}
