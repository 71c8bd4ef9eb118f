import hashlib
from pathlib import Path
from urllib.error import URLError

import pytest

from local_stack.errors import StackError
from local_stack.kafka import jars, pins
from local_stack.kafka.jars import repository_url
from local_stack.kafka.pins import Pin, PinList

MIRROR = """\
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>
<mirror><id>a</id><mirrorOf>jboss</mirrorOf><url>http://jboss.example/</url></mirror>
<mirror><id>b</id><mirrorOf>{of}</mirrorOf><url> http://mirror.example/maven/ </url></mirror>
</mirrors></settings>"""


def test_mirror_of_maven_central_is_used() -> None:
    for of in ("central", "*", "external:*", "jboss,central"):
        assert repository_url(MIRROR.format(of=of)) == "http://mirror.example/maven"


def test_mirror_of_another_repository_is_ignored() -> None:
    assert "example" not in repository_url(MIRROR.format(of="spring"))


def test_maven_central_is_used_without_settings() -> None:
    assert repository_url("<settings/>").startswith("https://")


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two pinned jars, and a repository that has them: the content by URL."""
    contents = {name: name.encode() * 100 for name in ("a", "b")}
    pinned = [Pin("org", name, "1", hashlib.sha256(contents[name]).hexdigest()) for name in contents]
    monkeypatch.setattr(pins, "load", lambda pin_list=pins.KAFKA: pinned)
    monkeypatch.setattr(jars, "repository_url", lambda settings: "http://mirror.example")
    urls = {f"http://mirror.example/{pin.repository_path}": contents[pin.artifact] for pin in pinned}
    monkeypatch.setattr(jars, "_download", urls.__getitem__)
    return urls


def test_cached_jar_that_is_not_the_pinned_file_is_downloaded_again(
    repository: dict[str, bytes], tmp_path: Path
) -> None:
    """A crash or a full disk leaves such files, and brokers then fail in odd ways (D12)."""
    said: list[str] = []
    fetched = jars.fetch(tmp_path, said.append)
    assert [jar.read_bytes() for jar in fetched] == list(repository.values())
    assert jars.fetch(tmp_path, said.append) == fetched
    assert said == ["downloading 2 of the jars of Kafka"]
    fetched[1].write_bytes(b"cut off")
    assert jars.fetch(tmp_path, said.append) == fetched
    assert fetched[1].read_bytes() == b"b" * 100
    assert said[1:] == ["downloading 1 of the jars of Kafka"]


def test_download_that_is_not_the_pinned_file_is_refused_and_not_kept(
    repository: dict[str, bytes], tmp_path: Path
) -> None:
    """One wrong byte, as from a mirror that somebody else has changed."""
    url = next(iter(repository))
    repository[url] = b"A" + repository[url][1:]
    with pytest.raises(StackError, match=r"a-1\.jar is not the pinned file"):
        jars.fetch(tmp_path, lambda line: None)
    assert not list(tmp_path.glob("a-1*"))
    assert len(pins.load()[0].sha256) == 64


@pytest.mark.parametrize(
    "pin_list", [pins.KAFKA, pins.CONNECT, pins.DEBEZIUM, pins.ZOOKEEPER], ids=lambda each: each.name
)
def test_every_list_pins_each_jar_once(pin_list: PinList) -> None:
    pinned = pins.load(pin_list)
    assert len({pin.file_name for pin in pinned}) == len(pinned) > 20
    assert all(len(pin.sha256) == 64 for pin in pinned)


def test_jar_that_cannot_be_downloaded_is_named_with_what_it_is_for(
    repository: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(url: str) -> bytes:
        raise URLError("Name or service not known")

    monkeypatch.setattr(jars, "_download", refuse)
    with pytest.raises(
        StackError, match=r"Could not download .\-1\.jar for Debezium \(no network\?\): Name or"
    ):
        jars.fetch(tmp_path, lambda line: None, pins.DEBEZIUM)
