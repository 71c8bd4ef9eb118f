"""The container's health check: exit 0 while the producer answers 200.

It prints the producer's own verdict, such as `ok`, or `degraded parked=2` when Kafka has refused two events.
Docker keeps that line, and `./start_project.sh status` shows it: to Docker, degraded is healthy.
"""

import json
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 4


def main() -> int:
    connection = HTTPConnection("127.0.0.1", 5001, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        sys.stdout.write(f"unavailable {error}\n")
        return 1
    parked = body.get("checks", {}).get("outbox", {}).get("parked") or 0
    sys.stdout.write(f"{body.get('status', 'unavailable')}{f' parked={parked}' if parked else ''}\n")
    return int(response.status != 200)


if __name__ == "__main__":
    sys.exit(main())
