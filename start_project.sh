#!/bin/sh
# The whole system with one command. It needs Python 3.11 or newer with venv and nothing else:
# here that is found, local_stack/ does the rest.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"

fail() {
    echo "error: $1" >&2
    exit 1
}

usage() {
    cat <<'END'
./start_project.sh [--native] [start]   start everything, print the addresses
                   stop [SERVICE...]    stop everything or these services; the data stays
                   restart [SERVICE...]
                   status [--json]      exit code 0 only when all are healthy
                   logs [-f] [SERVICE...]
Services: postgres kafka-1 kafka-2 kafka-3 producer relay consumer
Settings, from the environment: PRODUCER_PORT (5001), CONSUMER_PORT (5002), 0 takes a free port; JAVA_HOME
END
}

# Only one way to start is built so far: --native may be said, and changes nothing.
for argument do
    shift
    case $argument in
        --native) ;;
        -h | --help) usage; exit 0 ;;
        --docker) fail "--docker is not there yet: start without it, or with --native." ;;
        *) set -- "$@" "$argument" ;;
    esac
done

own=.local/venv/bin/python
[ -x "$own" ] && exec "$own" -m local_stack.bootstrap "$@"

probe='
import platform, sys
print("Python", platform.python_version(), end=" ")
if not (3, 11) <= sys.version_info < (3, 15):
    sys.exit("is too old or too new")
try:
    import ensurepip, venv
except ImportError:
    sys.exit("has no venv (Debian and Ubuntu: apt install python3-venv)")
'
found=''
for python in python3 python3.14 python3.13 python3.12 python3.11; do
    if said=$("$python" -c "$probe" 2>&1); then
        exec "$python" -m local_stack.bootstrap "$@"
    fi
    case $said in
        Python*) found=${found:-$said} ;;
    esac
done
fail "Python 3.11 to 3.14 with venv is needed: ${found:-no Python found}."
