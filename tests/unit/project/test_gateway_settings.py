"""The gateway's settings: what nginx.conf says, and what check.sh makes of the environment. Without Docker."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.unit.project import nginx

GATEWAY = ROOT / "deploy" / "gateway"
MAIN, PROXY, KAFKA_UI, PROBLEMS = (
    nginx.parse(GATEWAY / f"{name}.conf") for name in ("nginx", "proxy", "kafka-ui", "problems")
)
LOCAL = "localhost,127.0.0.1,[::1]"


class RunCheck:
    """check.sh with folders of its own. `files` has what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.out, self.secrets = folder / "nginx", folder / "secrets"
        self.secrets.mkdir()
        text = (GATEWAY / "check.sh").read_text()
        self._script = folder / "check.sh"
        self._script.write_text(
            text.replace("secrets=/secrets/gateway", f"secrets={self.secrets}").replace(
                "out=/tmp/nginx", f"out={self.out}"
            )
        )

    def add_secrets(self, *names: str) -> None:
        for name in names:
            (self.secrets / name).write_text("something")

    def __call__(self, **environment: str) -> dict[str, str]:
        """Return the files it has written, by their names. Raises AssertionError with its error."""
        done = subprocess.run(
            # `ulimit -H` is not in every shell; the image's has it.
            ["bash", str(self._script)],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        return {path.name: path.read_text() for path in self.out.iterdir()}

    def refusal(self, **environment: str) -> str:
        with pytest.raises(AssertionError) as refused:
            self(**environment)
        return str(refused.value)


@pytest.fixture
def run_check(tmp_path: Path) -> RunCheck:
    return RunCheck(tmp_path)


def test_everything_of_the_services_is_passed_on_with_their_host_and_without_the_password() -> None:
    assert PROXY.value("proxy_pass") == "$service"
    assert PROXY.value("proxy_http_version") == "1.1"
    assert sorted(PROXY.values("proxy_set_header")) == [
        ("Authorization", ""),
        ("Connection", ""),
        ("Host", "$http_host"),
        ("X-Forwarded-For", "$remote_addr"),
        ("X-Forwarded-Proto", "$scheme"),
    ]
    assert PROXY.value("proxy_read_timeout") == "30s"  # a stream sends something at least every 15 s
    assert PROXY.value("proxy_max_temp_file_size") == "0"


def test_an_order_is_never_sent_twice_by_the_gateway() -> None:
    http = MAIN.block("http")
    assert http.value("proxy_next_upstream") == "error timeout"  # not `non_idempotent`
    assert http.value("proxy_next_upstream_timeout") == "5s"
    assert http.value("proxy_connect_timeout") == "1s"


def test_gateway_follows_replicas_and_does_not_tell_its_version() -> None:
    http = MAIN.block("http")
    assert http.value("resolver") == "127.0.0.11 valid=1s ipv6=off"
    assert http.value("server_tokens") == "off"
    assert MAIN.value("worker_processes") == "2"
    assert [block.value("set") for block in MAIN.walk() if block.values("set")] == [
        "$service http://producer:5001",
        "$service http://consumer:5002",
        "$service http://projector:5003",
    ]


def test_slow_clients_are_bounded() -> None:
    http = MAIN.block("http")
    for name, value in (
        ("client_header_timeout", "10s"),
        ("client_body_timeout", "10s"),
        ("send_timeout", "30s"),
        ("keepalive_timeout", "65s"),
        ("limit_req_status", "429"),
        ("limit_conn_status", "429"),
        (
            "include",
            "/etc/nginx/mime.types /tmp/nginx/options.conf /tmp/nginx/body.limit /etc/nginx/kafka-ui.conf",
        ),
    ):
        assert " ".join(" ".join(words) for words in http.values(name)) == value, name


def test_every_way_to_a_service_is_limited() -> None:
    ways = [
        block
        for root in (MAIN, KAFKA_UI)
        for block in root.walk()
        if ("/etc/nginx/proxy.conf",) in block.values("include")
    ]
    limits = {block.name[1:]: block.values("include")[0][0] for block in ways}
    assert len(ways) == 6
    assert limits == {
        ("/",): "/tmp/nginx/requests.limit",
        ("=", "/orders/random"): "/tmp/nginx/random.limit",
        ("=", "/stream"): "/tmp/nginx/requests.limit",
    }
    assert ("/tmp/nginx/streams.limit",) in MAIN.block("location", "=", "/stream").values("include")


def test_a_stream_is_not_buffered_and_always_answered_with_200() -> None:
    stream = MAIN.block("location", "=", "/stream")
    assert stream.value("proxy_buffering") == "off"
    assert stream.value("proxy_intercept_errors") == "on"
    *codes, answer, place = stream.value("error_page").split()
    assert (answer, place) == ("=200", "@busy")
    errors_of_nginx = {code for words in PROBLEMS.values("error_page") for code in words if code.isdigit()}
    assert errors_of_nginx - {"401", "497"} <= set(codes)
    assert {"400", "403", "404", "405", "429", "500", "502", "503", "504"} <= set(codes)
    busy = MAIN.block("location", "@busy")
    assert busy.value("default_type") == "text/event-stream"
    assert busy.value("add_header") == "Cache-Control no-store always"
    assert busy.value("return") == (
        r"200 retry: $retry_ms\n\nevent: busy\ndata: {\"reason\":\"gateway\"}\n\n"
    )


def test_clients_that_were_sent_away_do_not_all_come_back_at_once() -> None:
    waits = MAIN.block("map", "$request_id", "$retry_ms").directives
    assert [nginx.map_value(waits, f"{digit:x}23") for digit in range(16)] == [
        *["2000"] * 4,
        *["3000"] * 4,
        *["4000"] * 4,
        *["5000"] * 4,
    ]


def test_every_error_of_the_gateway_is_a_problem_document() -> None:
    places = [block for block in PROBLEMS.blocks if block.name[0] == "location"]
    assert len(places) == 8
    for block in places:
        assert block.value("default_type") == "application/problem+json"
        status = block.value("return").split()[0]
        assert f'"status":{status},' in block.value("return")
    assert PROBLEMS.block("location", "@unavailable").value("add_header") == "Retry-After 2 always"
    assert PROBLEMS.block("location", "@too_many").value("add_header") == "Retry-After 1 always"
    assert PROBLEMS.block("location", "@unauthorized").value("auth_basic") == "off"


def test_health_check_is_on_loopback_only() -> None:
    assert [block.value("listen") for block in MAIN.walk() if block.values("listen")] == ["127.0.0.1:8081"]


@pytest.mark.parametrize(
    ("host", "is_untrusted"),
    [
        ("localhost", "0"),
        ("LOCALHOST:8080", "0"),
        ("127.0.0.1:8080", "0"),
        ("[::1]:8080", "0"),
        ("evil.example", "1"),
        ("evil-localhost", "1"),
        ("xlocalhost", "1"),
        ("localhost.evil.example", "1"),
        ("localhost.", "1"),
        ("localhost:80:80", "1"),
        ("127x0y0z1", "1"),
        ("127.0.0.1.nip.io", "1"),
        ("", "1"),
    ],
)
def test_kafka_ui_is_answered_under_trusted_names_only(
    run_check: RunCheck, host: str, is_untrusted: str
) -> None:
    written = run_check(TRUSTED_HOSTS=f"{LOCAL},")["hosts.map"]
    rules = [tuple(rule.rstrip(";").replace('"', "").split(" ")) for rule in written.splitlines()]
    assert nginx.map_value(rules, host) == is_untrusted
    assert KAFKA_UI.block("map", "$http_host", "$untrusted_host").value("include") == "/tmp/nginx/hosts.map"
    assert KAFKA_UI.block("if", "($untrusted_host)").value("return") == "421"


def test_name_that_is_no_name_is_refused(run_check: RunCheck) -> None:
    assert "is not a host name" in run_check.refusal(TRUSTED_HOSTS=f'{LOCAL},a"b')


@pytest.mark.parametrize(
    ("origin", "is_foreign"),
    [
        ("", "0"),
        ("http://localhost:8080", "0"),
        ("http://localhost:5001", "1"),
        ("http://localhost", "1"),
        ("https://localhost:8080", "1"),
        ("http://evil.example", "1"),
        ("http://localhost:8080.evil.example", "1"),
        ("null", "1"),
    ],
)
def test_kafka_ui_is_answered_to_its_own_origin_only(origin: str, is_foreign: str) -> None:
    rules = KAFKA_UI.block("map", "$scheme://$http_host $http_origin", "$foreign_origin").directives
    assert nginx.map_value(rules, f"http://localhost:8080 {origin}") == is_foreign


@pytest.mark.parametrize(
    ("site", "destination", "method", "is_foreign"),
    [
        ("", "", "GET", "0"),
        ("same-origin", "empty", "PUT", "0"),
        ("none", "document", "GET", "0"),
        ("cross-site", "document", "GET", "0"),  # a click on a link
        ("same-site", "document", "GET", "0"),
        ("cross-site", "document", "POST", "1"),
        ("cross-site", "iframe", "GET", "1"),
        ("cross-site", "empty", "GET", "1"),
        ("same-site", "empty", "GET", "1"),
        ("something new", "document", "GET", "1"),
    ],
)
def test_kafka_ui_is_not_answered_to_what_other_sites_load(
    site: str, destination: str, method: str, is_foreign: str
) -> None:
    name = "$http_sec_fetch_site $http_sec_fetch_dest $request_method"
    rules = KAFKA_UI.block("map", name, "$foreign_site").directives
    assert nginx.map_value(rules, f"{site} {destination} {method}") == is_foreign


def test_kafka_ui_permits_nobody_to_read_or_frame_it() -> None:
    way = KAFKA_UI.block("location", "/")
    assert KAFKA_UI.block("if", "($foreign", "!=", "00)").value("return") == "403"
    assert KAFKA_UI.block("server").values("set") == [
        ("$service", "http://kafka-ui:8080"),
        ("$foreign", "$foreign_origin$foreign_site"),
    ]
    hidden = {words[0] for words in way.values("proxy_hide_header")}
    permissions = (
        "Allow-Origin",
        "Allow-Credentials",
        "Allow-Methods",
        "Allow-Headers",
        "Expose-Headers",
        "Max-Age",
    )
    assert hidden == {
        *(f"Access-Control-{name}" for name in (*permissions, "Allow-Private-Network")),
        "X-Frame-Options",
    }
    assert sorted(way.values("add_header")) == [
        ("Cross-Origin-Opener-Policy", "same-origin", "always"),
        ("Cross-Origin-Resource-Policy", "same-origin", "always"),
        ("X-Frame-Options", "DENY", "always"),
    ]


def test_limits_are_wide_on_this_machine_and_narrow_for_others(run_check: RunCheck) -> None:
    local = run_check()
    assert "rate=5000r/s" in local["options.conf"]
    assert local["requests.limit"] == "limit_req zone=requests burst=5000 nodelay;\n"
    assert local["streams.limit"] == "limit_conn streams 2000;\n"
    assert local["body.limit"] == "client_max_body_size 1048576;\n"
    assert "ssl" not in "".join(local.values())
    run_check.add_secrets("tls.crt", "tls.key", "htpasswd")
    others = run_check(BIND_ADDRESS="0.0.0.0")
    assert "zone=requests:4m rate=50r/s" in others["options.conf"]
    assert "zone=random:1m rate=1r/s" in others["options.conf"]
    assert others["requests.limit"] == "limit_req zone=requests burst=200 nodelay;\n"
    assert others["random.limit"].endswith("limit_req zone=random burst=20 nodelay;\n")
    assert others["streams.limit"] == "limit_conn streams 50;\n"
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in others["options.conf"]
    assert 'auth_basic "orders";' in others["options.conf"]
    for name, port in (("producer", 5001), ("consumer", 5002), ("projector", 5003), ("kafka-ui", 8080)):
        assert re.match(rf"listen {port} ssl( http2)?;", others[f"{name}.listen"])


@pytest.mark.parametrize(
    ("version", "listen", "directive"),
    [("1.22.1", "ssl http2;", False), ("1.9.5", "ssl http2;", False), ("1.25.0", "ssl http2;", False)]
    + [(version, "ssl;", True) for version in ("1.25.1", "1.28.0", "1.30.2", "2.0.1", "1.100.1")],
)
def test_http2_is_switched_on_with_tls_as_the_version_wants_it(
    run_check: RunCheck, tmp_path: Path, version: str, listen: str, directive: bool
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    nginx = programs / "nginx"
    nginx.write_text(f"#!/bin/sh\necho 'nginx version: nginx/{version}' >&2\n")
    nginx.chmod(0o755)
    run_check.add_secrets("tls.crt", "tls.key")
    written = run_check(PATH=f"{programs}:{os.environ['PATH']}")
    assert written["consumer.listen"].startswith(f"listen 5002 {listen}")
    assert ("http2 on;" in written["options.conf"]) == directive


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.2", "::", "localhost.evil.example"])
@pytest.mark.parametrize(
    "present", [(), ("htpasswd",), ("tls.crt", "tls.key"), ("tls.crt", "htpasswd"), ("tls.key", "htpasswd")]
)
def test_ports_are_not_opened_to_others_without_tls_and_a_password(
    run_check: RunCheck, address: str, present: tuple[str, ...]
) -> None:
    run_check.add_secrets(*present)
    assert "error: " in run_check.refusal(BIND_ADDRESS=address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
def test_loopback_needs_neither(run_check: RunCheck, address: str) -> None:
    assert "auth_basic" not in run_check(BIND_ADDRESS=address)["options.conf"]
