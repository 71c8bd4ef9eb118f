import re

from local_stack.kafka.jars import Pin, pins, repository

MIRROR = """\
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>
<mirror><id>a</id><mirrorOf>jboss</mirrorOf><url>http://jboss.example/</url></mirror>
<mirror><id>b</id><mirrorOf>{of}</mirrorOf><url> http://mirror.example/maven/ </url></mirror>
</mirrors></settings>"""


def test_a_pin_says_what_to_fetch_and_from_where():
    pin = Pin.parse("org.apache.kafka:kafka-clients:4.3.1 sha256:abc")
    assert pin.file == "kafka-clients-4.3.1.jar"
    assert pin.path == "org/apache/kafka/kafka-clients/4.3.1/kafka-clients-4.3.1.jar"
    assert pin.sha256 == "abc"


def test_every_jar_is_pinned_once_with_its_checksum():
    every = pins()
    assert len({pin.file for pin in every}) == len(every) == 46
    assert all(re.fullmatch("[0-9a-f]{64}", pin.sha256) for pin in every)


def test_a_mirror_of_the_central_repository_is_used():
    for of in ("central", "*", "external:*", "jboss,central"):
        assert repository(MIRROR.format(of=of)) == "http://mirror.example/maven"


def test_a_mirror_of_something_else_is_not():
    assert "example" not in repository(MIRROR.format(of="spring"))


def test_without_settings_the_central_repository_is_used():
    assert repository("<settings/>").startswith("https://")
