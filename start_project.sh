#!/bin/sh
# Starts the whole system with one command, in one of two ways: deploy/docker/ needs only Docker with Compose v2,
# local_stack/ needs only Python 3.11 or newer with venv.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"

fail() {
    echo "error: $1" >&2
    exit 1
}

usage() {
    cat <<'END'
./start_project.sh [start] [SERVICE...]    start everything or these services, and print the addresses
                   stop [SERVICE...]       stop everything or these services; the data stays
                   restart [SERVICE...]    restart everything or these services
                   status [--json]         print the state; exit code 0 only when all are healthy
                   logs [-f] [SERVICE...]  print the last lines; -f follows
                   scale SERVICE=N...      projector; with Docker also producer, relay, consumer
                   partitions N            give the topic N partitions, while orders are taken
                   parked                  list the events that Kafka refused
                   requeue ID              offer a parked event to Kafka again
                   discard ID              give a parked event up, on record
                   dlq list                list the events that the projector could not apply
                   dlq show ID             print one of them
                   dlq requeue ID          apply it again, and what waits behind it
                   dlq discard ID          give it up, on record, and apply what waits behind it
                   dlq requeue|discard --all, or --order ID and --reason TEXT  many of them
                   rebuild                 make the projector's figures anew from the topic, and swap them
                   rebuild --from TIME [--to TIME]  read a span of the topic into a schema of its own
                   rebuild --list          list such schemas, and say which are unfinished
                   rebuild --drop SCHEMA   drop one
                   ledger [--json]         compare orders, outbox and Kafka; exit code 1: something is missing
                   ledger --order ID       print what happened to one order
                   ledger --repair         put what is missing back into the outbox
                   ledger --recover        after a restore: put what only Kafka has back into the orders
                   backup FOLDER           take a backup of PostgreSQL, and check it
                   archive FOLDER          write PostgreSQL's log to the folder as it is made, until Ctrl-C
                   restore FOLDER [--to TIME]  put PostgreSQL back: as it was at TIME, or as late as the archive goes
                   reset [--yes]           stop everything and delete all data
Before a command:  --docker or --native; without either, Docker if an engine and Compose v2 answer
                   --lite: with Docker, one broker instead of three
                   --zookeeper: Kafka 3.9 with its metadata in ZooKeeper, instead of in Kafka itself (docs/zookeeper.md)
Services: postgres kafka-1 kafka-2 kafka-3 producer relay consumer projector kafka-ui; with Docker also gateway, with PUBLISHER=debezium connect and connector, with --zookeeper zookeeper-1, -2 and -3
Settings come from the environment: PRODUCER_PORT (5001), CONSUMER_PORT (5002), PROJECTOR_PORT
(5003), KAFKA_UI_PORT (8080); natively, 0 takes a free port; PUBLISHER (direct, relay or debezium); natively
PROJECTORS (1). A start remembers these for later commands. All others are in .env.example.
END
}

# Print why Docker cannot be used here; nothing if it can.
docker_problem() {
    command -v docker >/dev/null || { echo "there is no Docker on this machine"; return; }
    version=$(docker compose version --short 2>/dev/null) || version=''
    case ${version#v} in
        '' | 1.*) echo "this Docker has no Compose v2 (the plugin \`docker compose\`)" ;;
        *) engine_problem ;;
    esac
}

# Print why the engine cannot be used here; nothing if it can. Compose needs Engine 25 for `start_interval`.
engine_problem() {
    if engine=$(LC_ALL=C docker version --format '{{.Server.Version}}' 2>&1); then
        case $engine in
            [0-9].* | 1[0-9].* | 2[0-4].*) echo "its engine is version $engine, and 25 or newer is needed" ;;
        esac
        return
    fi
    case $engine in
        *"permission denied"*) echo "its engine is running, but you may not use it (join the group docker: sudo usermod -aG docker \$USER, then log in again)" ;;
        *) echo "Docker is installed, but its engine does not answer (is it started?)" ;;
    esac
}

native_runs() { [ -s .local/run/supervisord.pid ] && kill -0 "$(cat .local/run/supervisord.pid)" 2>/dev/null; }

# Whether the stack was started with Docker, by this script or with `docker compose up`.
docker_runs() { [ "$last" ] || [ "$(docker compose ps --quiet 2>/dev/null)" ]; }

# Set `way`. A start keeps to the way that is running already; other commands follow the last start.
choose() {
    if native_runs; then way=native; return; fi
    if [ "$command" != start ]; then
        if docker_runs; then way=docker; else way=native; fi
        return
    fi
    problem=$(docker_problem)
    if [ "$problem" ]; then
        way=native
        echo "Without Docker: $problem."
    else
        way=docker
        echo "With Docker Compose: an engine and Compose $(docker compose version --short) answer; --native starts without Docker."
    fi
}

# Kafka with ZooKeeper and with KRaft are two clusters with volumes of their own: one would begin without the events of
# the other.
refuse_other_kafka() {
    case $kafka in
        kraft) other=kafka-zookeeper-1 keeper=ZooKeeper ;;
        zookeeper) other=kafka-1 keeper=KRaft ;;
        *) fail "KAFKA_METADATA is kraft or zookeeper, not $kafka." ;;
    esac
    name=$(docker compose config 2>/dev/null | sed -n 's/^name: //p' | tr -d '"')
    [ -z "$(docker volume ls --quiet --filter "name=^${name}_$other\$" 2>/dev/null)" ] ||
        fail "The events of this stack are in Kafka with $keeper (volume ${name}_$other and others); otherwise it would begin without them. To begin anew, without the orders: ./start_project.sh reset. To move with them: docs/zookeeper.md."
}

native() {
    case ${1:-start} in
        reset) reset_native "${2:-}" ;;
    esac
    own=.local/venv/bin/python
    [ -x "$own" ] && exec "$own" -m local_stack.bootstrap "$@"

    probe='
import os, platform, sys
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, OSError, ValueError):
    libc = ""
if sys.platform != "linux" or not libc.startswith("glibc"):
    sys.exit("Without Docker, this runs on Linux with glibc only: there are no packages for " + (
        "musl" if sys.platform == "linux" else platform.system()))
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
            Without*) fail "$said. Start Docker (an engine with Compose v2), then this again." ;;
        esac
    done
    fail "Python 3.11 to 3.14 with venv is needed: ${found:-no Python found}."
}

reset_native() {
    if [ "$1" != --yes ]; then
        echo "This deletes all orders, events and passwords of the project in $PWD:"
        for data in .local/postgres .local/postgres.restored .local/postgres.before-* .local/kafka .local/kafka-zookeeper .local/password .local/secrets; do
            [ ! -e "$data" ] || echo "  $PWD/$data"
        done
        printf 'Type yes to confirm: '
        read -r answer || answer=''
        [ "$answer" = yes ] || fail "Nothing was deleted."
    fi
    if [ -x .local/venv/bin/python ]; then
        .local/venv/bin/python -m local_stack.bootstrap stop || fail "The stack could not be stopped; nothing was deleted."
    fi
    rm -rf .local/postgres .local/postgres.part* .local/postgres.restored* .local/postgres.before-* .local/kafka .local/kafka-zookeeper .local/password .local/secrets .local/env .local/publisher .local/projectors
    echo "  all data is deleted"
    exit 0
}

way='' lite='' kafka=${KAFKA_METADATA:-}
for argument do
    shift
    case $argument in
        --native) way=native ;;
        --docker) way=docker ;;
        --lite) lite=lite way=docker ;;
        --zookeeper) kafka=zookeeper ;;
        -h | --help) usage; exit 0 ;;
        *) set -- "$@" "$argument" ;;
    esac
done
command=${1:-start}

last=''
[ ! -s .local/docker ] || last=$(cat .local/docker)
forced=$way
[ "$way" ] || choose
if [ "$way" = docker ] && [ "$command" = start ] && [ "$forced" ]; then
    problem=$(docker_problem)
    [ -z "$problem" ] || fail "--docker: $problem. To start without Docker: ./start_project.sh --native"
    ! native_runs || fail "This project is running natively: stop it first with ./start_project.sh stop"
fi
[ -z "$kafka" ] || export KAFKA_METADATA="$kafka"
if [ "$way" = native ]; then
    [ "$command" != start ] || [ -z "$last" ] || rm .local/docker
    native "$@"
fi

# A stack that was started small stays small, as its topic has one replica, until `reset`; one that was started with
# ZooKeeper stays with it, as its events are there.
[ "$last" != lite ] || lite=lite
if [ "$command" != start ] || [ -z "$kafka" ]; then
    kafka=kraft
    [ "$last" != zookeeper ] || kafka=zookeeper
fi
if [ "$command" = start ]; then
    [ -z "$lite" ] || [ "$kafka" = kraft ] || fail "The small stack (--lite) has no ZooKeeper."
    refuse_other_kafka
    [ -d .local ] || mkdir -m 700 .local
    if [ "$kafka" = zookeeper ]; then echo zookeeper; else echo "${lite:-full}"; fi >.local/docker
fi

export KAFKA_METADATA="$kafka"
if [ "$kafka" = zookeeper ]; then
    export COMPOSE_FILE="${COMPOSE_FILE:-docker-compose.yml}:deploy/zookeeper/docker-compose.yml"
elif [ "$lite" ]; then
    export LITE=1 COMPOSE_FILE="${COMPOSE_FILE:-docker-compose.yml}:deploy/lite/docker-compose.yml"
fi
exec deploy/docker/stack.sh "$@"
