import pytest

from tests.described_api import DescribedApi
from tests.unit.projector.web.harness import ORDER_ID, WebHarness

FIGURES = [
    ("/stats", "/stats"),
    ("/stats/series", "/stats/series?minutes=2"),
    ("/stats/items", "/stats/items?limit=1"),
    ("/orders/{order_id}/timeline", f"/orders/{ORDER_ID}/timeline"),
]


def test_stats(web: WebHarness) -> None:
    assert web.client.get("/stats").get_json() == {
        "orders": 3,
        "events": 4,
        "by_status": {"placed": 2, "cancelled": 1},
        "revenue": "72.50",
        "as_of": {"0": 3, "1": 1},
    }


def test_series(web: WebHarness) -> None:
    first, second = web.client.get("/stats/series?minutes=2").get_json()["minutes"]
    assert first == {
        "minute": "2026-11-22T12:00:00.000000Z",
        "events": 3,
        "by_status": {"placed": 2, "cancelled": 1},
        "amounts": {"placed": "10.00", "cancelled": "12.50"},
        "revenue": "-2.50",
    }
    assert (second["events"], second["revenue"]) == (0, "0.00")
    assert web.queries.asked == [2]


def test_items_and_timeline(web: WebHarness) -> None:
    assert web.client.get("/stats/items").get_json()["items"] == [
        {"item": "Basic Tee", "orders": 1, "quantity": 2, "revenue": "64.00"}
    ]
    version = {
        "version": 1,
        "status": "placed",
        "time": "2026-11-22T12:00:00.000000Z",
        "partition": 0,
        "offset": 41,
    }
    found = web.client.get(f"/orders/{ORDER_ID}/timeline").get_json()
    assert found == {"order_id": str(ORDER_ID), "versions": [version]}


def test_defaults(web: WebHarness) -> None:
    web.client.get("/stats/series")
    web.client.get("/stats/items")
    assert web.queries.asked == [60, 10]


@pytest.mark.parametrize(("path", "url"), FIGURES)
def test_answer_fits_the_document_and_is_not_sent_twice(
    web: WebHarness, described: DescribedApi, path: str, url: str
) -> None:
    response = web.client.get(url)
    described.hold("get", path, response)
    assert response.headers["Cache-Control"] == "no-cache"
    again = web.client.get(url, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == response.headers["ETag"]
    assert web.client.get(url, headers={"If-None-Match": '"another"'}).status_code == 200


def test_other_figures_have_another_etag(web: WebHarness) -> None:
    before = web.client.get("/stats").headers["ETag"]
    web.queries.by_status = {"placed": 3}
    assert web.client.get("/stats").headers["ETag"] != before


@pytest.mark.parametrize(
    ("url", "pointer"),
    [
        ("/stats/series?minutes=0", "/minutes"),
        ("/stats/series?minutes=1441", "/minutes"),
        ("/stats/series?minutes=", "/minutes"),
        ("/stats/series?minutes=-1", "/minutes"),
        ("/stats/series?minutes=1e1", "/minutes"),
        ("/stats/series?minutes=%D9%A1", "/minutes"),
        ("/stats/series?minutes=99999999999999999999", "/minutes"),
        ("/stats/items?limit=101", "/limit"),
    ],
)
def test_bad_parameter_is_named(web: WebHarness, described: DescribedApi, url: str, pointer: str) -> None:
    response = web.client.get(url)
    assert response.status_code == 400
    assert response.get_json()["errors"][0]["pointer"] == pointer
    described.hold("get", url.partition("?")[0], response)


def test_unknown_order_is_404(web: WebHarness, described: DescribedApi) -> None:
    response = web.client.get("/orders/01939b1e-6b1c-7c3a-8b1e-000000000000/timeline")
    assert response.status_code == 404
    described.hold("get", "/orders/{order_id}/timeline", response)
    assert web.client.get("/orders/x/timeline").status_code == 404


@pytest.mark.parametrize(("path", "url"), FIGURES)
def test_database_away_is_503_with_retry_after(
    web: WebHarness, described: DescribedApi, path: str, url: str
) -> None:
    web.queries.is_down = True
    response = web.client.get(url)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    described.hold("get", path, response)
