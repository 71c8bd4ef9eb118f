from local_stack.kafka.jars import repository_url

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
