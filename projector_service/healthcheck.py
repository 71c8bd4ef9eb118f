"""The container's health check: exit 0 while the projector answers 200.

It prints the projector's own verdict, `ok` or `degraded`. Docker keeps that line, and `./start_project.sh status`
shows it: to Docker, degraded is healthy.
"""

import json
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 4


def main() -> int:
    connection = HTTPConnection("127.0.0.1", 5003, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        sys.stdout.write(f"unavailable {error}\n")
        return 1
    sys.stdout.write(f"{body.get('status', 'unavailable')}\n")
    return int(response.status != 200)


if __name__ == "__main__":
    sys.exit(main())
