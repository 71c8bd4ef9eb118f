"""Which tests run in one process, one after the other, when `make test` runs several processes side by side.

xdist's own marker for this, `xdist_group`, has no effect with the pytest pinned here: xdist appends the group to an
attribute of the test that pytest no longer reads its id from."""

from xdist.scheduler import LoadScopeScheduling

# By the start of their ids; what takes longest comes first. The others are grouped by file.
GROUPS = {
    "tests/browser": "running stack",
    "tests/e2e/test_start_project.py::TestStarted": "started clone",
    "tests/integration/producer/test_cdc.py": "a worker of Kafka Connect of its own",
    "tests/integration/producer": "databases and topics of its own",
    "tests/integration/local_stack/test_zookeeper.py": "an ensemble of its own",
    "tests/integration/projector": "read models of its own",
    "tests/integration/local_stack": "servers of its own",
    "tests/integration": "topics of its own",
    "tests/e2e/test_start_project.py": "",  # each starts its own: each is its own group
    "tests/e2e": "running stack",
}


def group_of(test_id: str) -> str:
    """Return the group of a test: tests of one group share a stack, or are cheap to run in one process."""
    for start, group in GROUPS.items():
        if test_id.startswith(start):
            return group or test_id
    return test_id.partition("::")[0]


def order_of(test_id: str) -> int:
    """Return where a test comes among all: the groups that take longest must not begin last."""
    return next((place for place, start in enumerate(GROUPS) if test_id.startswith(start)), len(GROUPS))


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole groups, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
