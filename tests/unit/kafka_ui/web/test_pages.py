from dataclasses import replace

from kafka_ui.cluster.admin import Group, Member
from kafka_ui.messages.partitioner import partition_of
from tests.unit.kafka_ui.cluster.answers import ADDRESSES, ALL, answer, orders, partition, silence
from tests.unit.kafka_ui.messages.fake_topic import FakeTopic, message
from tests.unit.kafka_ui.web.harness import WebHarness


def test_cluster_page_shows_the_brokers_and_the_quorum(web: WebHarness) -> None:
    page = web.text("/")
    assert "All brokers are up, all replicas are in sync." in page
    assert "kafka-3 is the active controller, in epoch 7. 3 controllers vote." in page
    assert all(address in page for address in ADDRESSES.values())


def test_cluster_page_says_in_words_what_is_wrong(web: WebHarness) -> None:
    topic = orders(partition(0, (1, 3)), partition(1, (3, 1)))
    web.answers = {ADDRESSES[each]: answer(each, topic, registered=(1, 3)) for each in (1, 3)}
    web.answers[ADDRESSES[2]] = silence(2)
    assert "kafka-2 is away: 2 of 2 partitions have 2 of 3 replicas; orders are still taken" in web.text("/")


def test_pages_say_that_nothing_is_known_when_no_broker_answers(web: WebHarness) -> None:
    web.answers = {ADDRESSES[each]: silence(each) for each in ALL}
    for path in ("/", "/topics", "/topics/orders", "/topics/orders/messages", "/groups"):
        assert "No broker answers" in web.text(path), path


def test_topics_page_counts_messages_and_bytes(web: WebHarness) -> None:
    page = web.text("/topics")
    assert '<td data-label="Messages" class="number">3</td>' in page
    assert '<td data-label="On all disks" class="number">450 B</td>' in page


def test_topic_page_shows_partitions_and_the_settings_that_differ(web: WebHarness) -> None:
    page = web.text("/topics/orders")
    assert "kafka-1 <b>leads</b>" in page
    assert "min.insync.replicas" in page
    assert "retention.ms" not in page


def test_topic_page_says_which_offsets_and_settings_are_unknown(web: WebHarness) -> None:
    web.answers[ADDRESSES[1]] = silence(1)
    web.admin.settings_known = None
    web.topic.ends = {1: 1}
    page = web.text("/topics/orders")
    assert page.count('class="number">unknown</td>') == 3
    assert "Not known: no broker told them in time." in page


def test_unknown_topic_is_not_found(web: WebHarness) -> None:
    for path in ("/topics/nowhere", "/topics/nowhere/messages"):
        assert web.client.get(path).status_code == 404
    assert (
        "There is no such topic." in web.client.get("/topics/nowhere", headers={"Accept": "text/html"}).text
    )


def test_groups_page_shows_members_and_lag(web: WebHarness) -> None:
    member = Member("projector-1", "127.0.0.1", (("orders", 0),))
    web.admin.groups_known = [Group("projector", "stable", (member,), {("orders", 0): 1, ("orders", 1): 1})]
    page = web.text("/groups")
    assert "projector-1 at 127.0.0.1 reads 1 partition" in page
    assert '<td data-label="Messages behind" class="number">1</td>' in page
    assert '<td data-label="Time behind" class="number">0 s</td>' in page
    assert "nobody" in page


def test_groups_page_says_what_is_not_known(web: WebHarness) -> None:
    web.admin.groups_known = [Group("projector", "unknown", (), None)]
    assert "its coordinator did not answer in time" in web.text("/groups")
    web.admin.groups_known = None
    assert "Which groups there are is not known now: no answer in time." in web.text("/groups")


def test_groups_are_not_asked_for_while_a_broker_hangs(web: WebHarness) -> None:
    """The client may not survive that: librdkafka's `eonce->refcnt > 0`."""
    web.answers[ADDRESSES[2]] = silence(2)
    web.admin.groups_known = [Group("projector", "stable", (), {})]
    page = web.text("/groups")
    assert "is not known while a broker does not answer: kafka-2." in page
    assert "projector" not in page


def test_messages_are_newest_first_with_their_headers(web: WebHarness) -> None:
    page = web.text("/topics/orders/messages")
    assert page.index(">1:0<") < page.index(">0:1<") < page.index(">0:0<")
    assert "&#34;version&#34;: 2" in page
    assert "<dt>id</dt>" in page
    assert "000000  ff 00" in page


def test_messages_of_a_key_are_in_order_and_the_event_is_pointed_out(web: WebHarness) -> None:
    number = partition_of(b"order-a", 2)
    web.topic = FakeTopic(*(message(number, at, at, b"order-a", event=b"event-%d" % at) for at in range(3)))
    page = web.text("/topics/orders/messages?key=order-a&event=event-1")
    assert page.index(f">{number}:0<") < page.index(f">{number}:1<") < page.index(f">{number}:2<")
    assert page.count("<b>This event.</b>") == 1


def test_link_of_the_dashboard_leads_to_the_messages(web: WebHarness) -> None:
    response = web.client.get("/ui/clusters/orders/all-topics/orders/messages?mode=LATEST&key=a&event=b")
    assert (response.status_code, response.location) == (302, "/topics/orders/messages?key=a&event=b")


def test_messages_cannot_bring_markup_into_the_page(web: WebHarness) -> None:
    evil = b'"><script>alert(1)</script>'
    web.topic = FakeTopic(message(0, 0, 1, key=evil, value=evil, event=evil), ends={1: 0})
    assert "<script>alert" not in web.text("/topics/orders/messages")
    response = web.client.get("/topics/orders/tail")
    assert b"<script>alert" not in next(iter(response.response))
    response.close()


def test_partition_whose_leader_hangs_is_named_and_the_others_are_shown(web: WebHarness) -> None:
    web.answers[ADDRESSES[1]] = silence(1)
    web.topic.ends = {1: 1}
    page = web.text("/topics/orders/messages")
    assert (
        "Partition 0 is led by kafka-1, which did not answer in time: what it holds is not known now." in page
    )
    assert ">1:0<" in page


def test_wrong_parameters_are_explained(web: WebHarness) -> None:
    for query in (
        "time=yesterday",
        "offset=-1",
        "offset=5",
        "partition=99",
        "limit=201",
        "before=x",
        "after=0:",
    ):
        assert 'role="alert"' in web.text(f"/topics/orders/messages?{query}", status=400), query


def test_tail_says_in_the_stream_why_there_is_nothing_to_follow(web: WebHarness) -> None:
    web.answers = {ADDRESSES[each]: silence(each) for each in ALL}
    response = web.client.get("/topics/orders/tail")
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    assert b"event: busy" in response.data


def test_connectors_are_shown_only_where_there_is_a_connect(web: WebHarness) -> None:
    assert "Connectors" not in web.text("/groups")
    services = web.services
    connected = services.settings.model_copy(update={"connect_url": "http://127.0.0.1:1"})
    web.client.application.extensions["services"] = replace(services, settings=connected)
    assert "Kafka Connect does not answer at http://127.0.0.1:1." in web.text("/groups")


def test_health_is_degraded_only_when_no_broker_answers(web: WebHarness) -> None:
    web.answers[ADDRESSES[2]] = silence(2)
    assert web.client.get("/health/ready").json == {
        "status": "ok",
        "checks": {
            "kafka": {"status": "ok", "brokers": {"kafka-1": "up", "kafka-2": "silent", "kafka-3": "up"}}
        },
    }
    assert web.client.get("/health/live").status_code == 200


def test_health_is_degraded_when_no_broker_answers(web: WebHarness) -> None:
    web.answers = {ADDRESSES[each]: silence(each) for each in ALL}
    response = web.client.get("/health/ready")
    assert (response.status_code, response.json["status"]) == (200, "degraded")  # type: ignore[index]
