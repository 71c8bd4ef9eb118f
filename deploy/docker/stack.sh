#!/bin/sh
# Runs the commands of start_project.sh with Docker Compose. Needs Docker and a shell, no Python.
# Runs in the project's folder. COMPOSE_FILE, COMPOSE_PROJECT_NAME and .env work as for Compose itself.
set -eu

all='postgres kafka-1 kafka-2 kafka-3 producer relay consumer projector kafka-ui gateway connect connector zookeeper-1 zookeeper-2 zookeeper-3'
scales=.local/docker.scales
ports=.local/docker.ports

say() { echo "  $1"; }
fail() {
    echo "error: $1" >&2
    exit 1
}

compose() {
    if [ -t 1 ]; then docker compose "$@"; else docker compose --progress quiet "$@"; fi
}
project() { docker compose config 2>/dev/null | sed -n 's/^name: //p' | tr -d '"'; }
containers() { docker compose ps --all --quiet "$@" 2>/dev/null; }
services() {
    present=$(docker compose config --services)
    for name in $all; do
        ! echo "$present" | grep -qx "$name" || echo "$name"
    done
}
# Print --scale options with the saved number of replicas, for these services only: Compose refuses others.
# Without a name, for all services.
scale_options() {
    [ -s "$scales" ] || return 0
    while IFS='=' read -r service count; do
        case " $* " in
            '  ' | *" $service "*) printf -- '--scale %s=%s ' "$service" "$count" ;;
        esac
    done <"$scales"
}

known() {
    for name; do
        services | grep -qx -- "$name" || fail "There is no service $name. The services are: $(services | tr '\n' ' ')"
    done
}

enough_memory() {
    wanted=2800
    [ -z "${LITE:-}" ] || wanted=1400
    [ "$publisher" != debezium ] || wanted=$((wanted + 500))
    [ "${KAFKA_METADATA:-}" != zookeeper ] || wanted=$((wanted + 300))
    has=$(docker info --format '{{.MemTotal}}')
    has=$((has / 1000000))
    [ "$has" -ge "$wanted" ] && return
    [ "${LITE:-}" ] || fail "Docker has $has MB of memory, but the stack with three brokers needs $wanted MB: give Docker more, or start the small stack with --lite."
    fail "Docker has $has MB of memory, but the small stack needs $wanted MB: give Docker more, or start with --native."
}

# The connections that all replicas may open, against PostgreSQL's max_connections (docker-compose.yml): a producer's
# pool, the one for NOTIFY and the one for new orders, in each of its processes; a relay's pool and the one that
# listens; a projector's pool; and a few for PostgreSQL itself, the migrator and people. By default a producer has as
# many processes as its gunicorn.conf.py says. enough_connections [SERVICE=N...]: the saved numbers, with these changes.
enough_connections() {
    producers=1 relays=1 projectors=1
    for each in $(cat "$scales" 2>/dev/null) "$@"; do
        case $each in
            producer=*) producers=${each#*=} ;;
            relay=*) relays=${each#*=} ;;
            projector=*) projectors=${each#*=} ;;
        esac
    done
    cores=$(docker info --format '{{.NCPU}}')
    wanted=$(docker compose config | awk -v producers="$producers" -v relays="$relays" -v projectors="$projectors" -v cores="${cores:-8}" '
        BEGIN { processes = int(cores / 2); if (processes > 4) processes = 4; if (processes < 1) processes = 1; pool = 8 }
        /^  [^ ]/ { service = $1 }
        service == "producer:" { gsub(/"/, "", $2) }
        service == "producer:" && $1 == "WEB_CONCURRENCY:" && $2 ~ /^[0-9]/ { processes = $2 }
        service == "producer:" && $1 == "DATABASE_POOL_SIZE:" { pool = $2 }
        END { print producers * processes * (pool + 2) + relays * 5 + projectors * 9 + 7 }')
    [ "$wanted" -le 100 ] ||
        fail "producer=$producers, relay=$relays and projector=$projectors may open $wanted connections, but PostgreSQL has 100: take fewer replicas, or lower DATABASE_POOL_SIZE or WEB_CONCURRENCY."
}

# Ports and the publisher that a start was given hold for the commands after it, unless .env has them.
recall_ports() {
    [ -s "$ports" ] || return 0
    while IFS='=' read -r name port; do
        eval "given=\${$name:-}"
        [ "$given" ] || grep -qs "^$name=" .env || export "$name=$port"
    done <"$ports"
}
remember_ports() {
    for name in PRODUCER_PORT CONSUMER_PORT PROJECTOR_PORT KAFKA_UI_PORT PUBLISHER; do
        eval "port=\${$name:-}"
        [ -z "$port" ] || echo "$name=$port"
    done >"$ports"
}

# With PUBLISHER=debezium there is Kafka Connect as well. Without it, what is left of it goes: nobody else may read the
# replication slot, which the migrator then drops.
choose_profile() {
    publisher=${PUBLISHER:-$(sed -n 's/^PUBLISHER=//p' .env 2>/dev/null | tail -1 | tr -d '"')}
    [ "$publisher" = debezium ] || return 0
    export COMPOSE_PROFILES="${COMPOSE_PROFILES:+$COMPOSE_PROFILES,}cdc"
}
remove_unused_connect() {
    [ "$publisher" != debezium ] || return 0
    [ "$(COMPOSE_PROFILES=cdc containers connect connector)" ] || return 0
    say "PUBLISHER=${publisher:-direct} needs no connect and no connector: removing them"
    COMPOSE_PROFILES=cdc compose rm --force --stop connect connector
}

# From Engine 28 on, an internal network can keep this machine itself out. A network keeps the mode it was made with.
isolate_networks() {
    [ -z "${INTERNAL_NETWORKS:-}" ] || return 0
    made=$(docker network inspect --format '{{index .Options "com.docker.network.bridge.gateway_mode_ipv4"}}' "$(project)_app" 2>/dev/null) || made=new
    case $made in
        isolated) export INTERNAL_NETWORKS=isolated ;;
        new)
            case $(docker version --format '{{.Server.Version}}' 2>/dev/null) in
                2[89].* | [3-9][0-9].*) export INTERNAL_NETWORKS=isolated ;;
            esac
            ;;
    esac
}

# Two folders under one project name would take each other's containers and data.
not_of_another_folder() {
    folders=$(docker ps --all --filter "label=com.docker.compose.project=$(project)" --format '{{.Label "com.docker.compose.project.working_dir"}}' | sort -u)
    echo "$folders" | while read -r folder; do
        [ -e "$folder/docker-compose.yml" ] && [ "$(cd -- "$folder" && pwd -P)" != "$(pwd -P)" ] || continue
        fail "The project $(project) belongs to $folder: give this one another name with COMPOSE_PROJECT_NAME, and other ports (.env.example)."
    done
}

# Fail with one line on why the stack did not start, from the state and the logs of the containers.
explain() {
    for id in $(containers); do
        problem=$(docker inspect --format '{{.State.Error}}' "$id")
        case $problem in
            *"already in use"* | *"already allocated"*)
                port=$(echo "$problem" | sed -E 's/.*:([0-9]+)( failed)?:.*/\1/')
                fail "Port $port is taken by another program: stop that program, or choose other ports with PRODUCER_PORT, CONSUMER_PORT, PROJECTOR_PORT, KAFKA_UI_PORT."
                ;;
            ?*) fail "$problem" ;;
        esac
    done
    for id in $(containers secrets migrate topics gateway); do
        state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{index .Config.Labels "com.docker.compose.service"}}' "$id")
        case $state in
            'running 0 '* | 'exited 0 '* | 'created 0 '*) continue ;;
        esac
        said=$(docker logs --tail 50 "$id" 2>&1 | grep -E '^(error|ERROR)[: ]' | tail -1)
        [ -z "$said" ] || fail "${state##* }: ${said#[eE]*[: ] }"
    done
    last=$(tail -1 .local/docker.log)
    case $last in
        '' | *unhealthy* | *exited*) ;;
        *) fail "Docker Compose: $last" ;;
    esac
    for id in $(containers); do
        found=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}} {{index .Config.Labels "com.docker.compose.service"}}' "$id")
        case $found in
            'running healthy '* | 'created '* | 'exited  0 '*) ;;
            *)
                name=${found##* }
                fail "$name did not become healthy: $(docker logs --tail 1 "$id" 2>&1 | tail -1)"
                ;;
        esac
    done
    fail "Docker Compose could not start the stack: ${last:-see above}"
}

# up OPTION [SERVICE...]: on a terminal, show the progress of Compose; otherwise print one line if it fails.
up() {
    option=$1
    shift
    # shellcheck disable=SC2046 # one word each
    set -- up --detach --wait --wait-timeout "${START_TIMEOUT_S:-600}" "$option" $(scale_options "$@") "$@"
    # Compose gives up as soon as it sees a container unhealthy, also one that was so before and heals by this start, as
    # the producer does after PostgreSQL was down.
    ill=$(unhealthy)
    show_up "$@" || { [ "$ill" ] && heal && show_up "$@"; } || explain
}
show_up() {
    if [ -t 1 ]; then
        : >.local/docker.log
        docker compose "$@"
    else
        docker compose --progress plain "$@" >.local/docker.log 2>&1
    fi
}
unhealthy() { docker ps --quiet --filter health=unhealthy --filter "label=com.docker.compose.project=$(project)"; }
heal() {
    tries=45
    while [ "$tries" -gt 0 ]; do
        [ "$(unhealthy)" ] || return 0
        sleep 2
        tries=$((tries - 1))
    done
    return 1
}

# url SERVICE PORT: print the address of a published port; nothing if there is none.
url() {
    address=$(docker compose port "$1" "$2" 2>/dev/null) || return 0
    case $address in *:0) return 0 ;; esac # Compose's word for a port that is not published
    scheme=http
    [ "$1" != gateway ] || ! docker compose exec -T gateway test -s /secrets/gateway/tls.crt 2>/dev/null || scheme=https
    echo "$scheme://$(echo "$address" | sed 's/^0\.0\.0\.0/127.0.0.1/')"
}

addresses() {
    shop=$(url gateway 5001)
    events=$(url gateway 5002)
    figures=$(url gateway 5003)
    (
        umask 077
        printf 'PRODUCER_URL=%s\nCONSUMER_URL=%s\nPROJECTOR_URL=%s\n' "$shop" "$events" "$figures" >.local/env
    )
    say "orders    $shop"
    say "live      $events"
    say "figures   $events/figures"
    ui=$(url gateway 8080)
    [ -z "$ui" ] || say "kafka-ui  $ui"
}

start() {
    known "$@"
    not_of_another_folder
    enough_connections
    remember_ports
    remove_unused_connect
    if [ $# -gt 0 ] && [ "$(containers)" ]; then
        up --no-deps "$@"
    else
        enough_memory
        say "building the images and starting; this takes minutes the first time"
        up --build "$@"
    fi
    [ $# -gt 0 ] || addresses
}

stop() {
    known "$@"
    compose stop "$@"
    if [ $# -gt 0 ]; then say "stopped $*"; else say "stopped; the data stays"; fi
}

restart() {
    # shellcheck disable=SC2046 # one word each
    [ $# -gt 0 ] || set -- $(services)
    known "$@"
    compose restart "$@"
    up --no-deps "$@"
}

# A check of Docker's may be 10 s old: ask a service anew that was degraded then. Reads an id before each line.
ask_degraded_again() {
    while read -r id row; do
        case $row in
            connector*' "degraded'*) row="${row% \"degraded*} \"$(docker exec "$id" python -m producer.cdc check 2>/dev/null </dev/null)\"" ;;
            *' "degraded'*) row="${row% \"degraded*} \"$(docker exec "$id" python healthcheck.py 2>/dev/null </dev/null)\"" ;;
        esac
        printf '%s\n' "$row"
    done
}

# Print name, state, pid and health: a line for each container, and one for a service without containers.
rows() {
    {
        ids=$(containers)
        # shellcheck disable=SC2086 # one word each
        [ -z "$ids" ] || docker inspect --format '{{.ID}} {{index .Config.Labels "com.docker.compose.service"}} {{index .Config.Labels "com.docker.compose.container-number"}} {{.State.Status}} {{.State.Pid}} {{if .State.Health}}{{.State.Health.Status}}{{$said := ""}}{{range .State.Health.Log}}{{$said = .Output}}{{end}} {{printf "%q" $said}}{{else}}none{{end}}' $ids | ask_degraded_again
        services | sed 's/$/ 0 stopped 0 unhealthy/'
    } | awk -v order="$(services | tr '\n' ' ')" '
        {
            if ($3 == "exited" || $3 == "created" || $3 == "dead") $3 = "stopped"
            # A service that says `degraded` is healthy to Docker. What its check printed is in quotes.
            if ($5 == "healthy" && $6 ~ /^"degraded/) $5 = "degraded"
            if ($3 != "running") $5 = "unhealthy"
            if (match($0, /parked=[0-9]+/)) $5 = $5 " " substr($0, RSTART, RLENGTH)
            if ($2 > 0) { row[$1, ++count[$1]] = ($2 > 1 ? $1 "-" $2 : $1) " " $3 " " $4 " " $5 }
            else missing[$1] = $1 " stopped 0 unhealthy"
        }
        END {
            n = split(order, name, " ")
            for (i = 1; i <= n; i++) {
                if (!count[name[i]]) print missing[name[i]]
                for (j = 1; j <= count[name[i]]; j++) print row[name[i], j]
            }
        }'
}

status() {
    found=$(rows)
    if [ "${1:-}" = --json ]; then
        echo "$found" | awk '
            BEGIN { printf "[" }
            { printf "%s{\"name\": \"%s\", \"state\": \"%s\", \"pid\": %s, \"health\": \"%s\"}", (NR > 1 ? ", " : ""), $1, $2, ($3 ? $3 : "null"), $4 }
            END { print "]" }'
    else
        printf '%-10s %-13s %8s  %s\n' SERVICE STATE PID HEALTH
        echo "$found" | awk '{ printf "%-10s %-13s %8s  %s\n", $1, $2, ($3 ? $3 : "-"), $4 }'
        ! echo "$found" | grep -q '^connector running [0-9]* degraded' ||
            docker compose exec -T connector python -m producer.cdc check 2>/dev/null </dev/null | sed 's/^degraded /connector: /'
        echo "$found" | awk 'sub(/parked=/, "", $5) { print $1 ": Events that Kafka refused wait for a decision: " $5 " (./start_project.sh parked)" }'
    fi
    ! echo "$found" | grep -qv ' running [0-9]* healthy$'
}

scale() {
    [ $# -gt 0 ] || fail "scale needs services and numbers, for example: ./start_project.sh scale producer=2 consumer=3"
    for wish; do
        case $wish in
            producer=[1-9] | consumer=[1-9] | relay=[1-9] | projector=[1-9]) ;;
            *) fail "$wish: only producer, relay, consumer and projector can be scaled, to 1 to 9 replicas." ;;
        esac
    done
    enough_connections "$@"
    for wish; do
        { [ ! -e "$scales" ] || grep -v "^${wish%=*}=" "$scales" || :; echo "$wish"; } >"$scales.part"
        mv "$scales.part" "$scales"
    done
    up --no-recreate
    say "running: $(tr '\n' ' ' <"$scales")"
}

reset() {
    if [ "${1:-}" != --yes ]; then
        name=$(project)
        [ "$name" ] || fail "docker compose cannot read its configuration: $(docker compose config --quiet 2>&1 | tail -1)"
        echo "This deletes all orders, events and passwords of the project $name:"
        docker volume ls --quiet --filter "label=com.docker.compose.project=$name" | sed 's/^/  volume /'
        printf 'Type yes to confirm: '
        read -r answer || answer=''
        [ "$answer" = yes ] || fail "Nothing was deleted."
    fi
    name=$(project)
    COMPOSE_PROFILES=cdc compose down --volumes --remove-orphans
    # Those of a Kafka with another keeper of its metadata (docs/zookeeper.md), which are not of this one's files.
    docker volume ls --quiet --filter "label=com.docker.compose.project=$name" | while read -r volume; do
        docker volume rm "$volume" >/dev/null
    done
    rm -f "$scales" "$ports" .local/env .local/docker
    say "all data is deleted"
}

# in_service SERVICE COMMAND...: a command of a service's own; where none runs, in a container of its own.
in_service() {
    service=$1
    shift
    if [ "$(docker compose ps --status running --quiet "$service" 2>/dev/null)" ]; then
        exec docker compose exec -T "$service" "$@"
    fi
    [ "$(docker compose ps --status running --quiet postgres 2>/dev/null)" ] ||
        fail "PostgreSQL is not running: start it first with ./start_project.sh start postgres"
    exec docker compose --progress quiet run --rm -T --no-deps "$service" "$@"
}
relay() { in_service relay python -m producer.relay "$@"; }

# The ledger has a container of its own, and so the memory of no service. It gets the terminal when there is one, and
# Compose hands an interrupt on to it. Its exit code 1 says that something is missing, so any other failure is 2.
ledger() {
    if [ -z "$(docker compose ps --status running --quiet postgres 2>/dev/null)" ]; then
        echo "error: PostgreSQL is not running: start it first with ./start_project.sh start postgres" >&2
        exit 2
    fi
    terminal=''
    { [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; } || terminal=-T
    case " $* " in
        *" --recover "*) # a restored database has the schema and the passwords of before
            docker compose --progress quiet run --rm -T --no-deps migrate >&2 || exit 2 ;;
    esac
    # shellcheck disable=SC2086 # nothing or one word
    exec docker compose --progress quiet run --rm $terminal --no-deps producer python -m producer.ledger "$@"
}

# As the ledger, in a container of its own and on the terminal when there is one.
rebuild() {
    [ "$(docker compose ps --status running --quiet postgres 2>/dev/null)" ] ||
        fail "PostgreSQL is not running: start it first with ./start_project.sh start postgres"
    terminal=''
    { [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; } || terminal=-T
    # shellcheck disable=SC2086 # nothing or one word
    exec docker compose --progress quiet run --rm $terminal --no-deps projector python -m projector rebuild "$@"
}

# The tools of PostgreSQL's own image (deploy/postgres/backup.sh), as the user who owns the folder: pg_basebackup and
# pg_receivewal in the network of the server, which lets in whoever is on its loopback address.
postgres_image() { docker compose config postgres | sed -n 's/^    image: //p' | head -1; }
absolute() { CDPATH='' cd -- "$1" 2>/dev/null && pwd -P; }
backup_tools() {
    [ $# -eq 2 ] || fail "$1 needs a folder, for example: ./start_project.sh $1 /backups/orders"
    server=$(docker compose ps --status running --quiet postgres 2>/dev/null)
    [ "$server" ] || fail "PostgreSQL is not running: start it first with ./start_project.sh start postgres"
    mkdir -p "$2" 2>/dev/null || fail "$2 cannot be written."
    folder=$(absolute "$2")
    terminal=''
    { [ ! -t 0 ] || [ ! -t 1 ]; } || terminal=--tty
    # shellcheck disable=SC2086 # nothing or one word
    exec docker run --rm --interactive --init $terminal --network "container:$server" --user "$(as_user)" \
        --read-only --cap-drop ALL --security-opt no-new-privileges --pids-limit 32 --memory 256m \
        --env PGHOST=127.0.0.1 --env PGUSER=orders --env PGDATABASE=orders \
        --mount "type=bind,source=$folder,target=$folder" \
        --mount "type=bind,source=$PWD/deploy/postgres/backup.sh,target=/backup.sh,readonly" \
        --entrypoint /bin/sh "$(postgres_image)" /backup.sh "$1" "$folder"
}
# Under a rootless engine, root in a container is the user outside.
as_user() {
    case $(docker info --format '{{.SecurityOptions}}') in
        *rootless*) echo 0:0 ;;
        *) echo "$(id -u):$(id -g)" ;;
    esac
}

given() { if [ "$1" ]; then echo "$1"; else fail "--to needs a time such as 2026-11-26T16:20:00Z."; fi; }
# In a container with the data's volume: as root it can read the user's folder and give the data to the server.
restore() {
    folder='' to=''
    while [ $# -gt 0 ]; do
        case $1 in
            --to)
                to=$(given "${2:-}") || exit 1
                shift
                ;;
            --to=*) to=$(given "${1#*=}") || exit 1 ;;
            -*) fail "restore has no option $1; see ./start_project.sh --help." ;;
            *)
                [ -z "$folder" ] || fail "restore needs one folder, not $folder and $1."
                folder=$1
                ;;
        esac
        shift
    done
    [ "$folder" ] || fail "restore needs a folder, for example: ./start_project.sh restore /backups/orders"
    [ -d "$folder" ] || fail "There is no folder $folder."
    folder=$(absolute "$folder")
    docker run --rm --init --network none --user 0:0 --read-only --tmpfs /tmp:mode=1777 --cap-drop ALL \
        --cap-add DAC_OVERRIDE --security-opt no-new-privileges --pids-limit 64 --memory 384m \
        --mount "type=bind,source=$folder,target=$folder,readonly" \
        --mount "type=bind,source=$PWD/deploy/postgres/backup.sh,target=/backup.sh,readonly" \
        --entrypoint /bin/sh "$(postgres_image)" /backup.sh check "$folder" ${to:+"$to"} || exit 1
    compose stop producer relay postgres
    docker compose --progress quiet run --rm -T secrets
    name=$(project)
    docker run --rm --init --network none --user 0:0 --read-only --tmpfs /tmp:mode=1777 --cap-drop ALL \
        --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add SETUID --cap-add SETGID --cap-add KILL \
        --security-opt no-new-privileges --pids-limit 64 --memory 384m \
        --env PGUSER=orders --env "BEFORE=before-$(date -u +%Y%m%dT%H%M%SZ)" \
        --mount "type=bind,source=$folder,target=$folder,readonly" \
        --mount "type=bind,source=$PWD/deploy/postgres/backup.sh,target=/backup.sh,readonly" \
        --mount "type=volume,source=${name}_postgres,target=/var/lib/postgresql" \
        --mount "type=volume,source=${name}_owner-secret,target=/secrets/owner,readonly" \
        --entrypoint /bin/sh "$(postgres_image)" -c '
            PGPASSWORD=$(cat /secrets/owner/password) && export PGPASSWORD
            part=/var/lib/postgresql/restore.part data=/var/lib/postgresql/18/docker
            /bin/sh /backup.sh restore "$1" "$part" ${2:+"$2"} || exit 1
            mkdir -p /var/lib/postgresql/18 || exit 1
            kept=
            if [ -e "$data" ]; then
                mv "$data" "/var/lib/postgresql/$BEFORE" || exit 1
                kept=$BEFORE
            fi
            mv "$part" "$data" || exit 1
            [ -z "$kept" ] ||
                echo "  kept      $kept in the volume: what was there before; delete it when you do not need it"
        ' sh "$folder" "$to"
}

verb=${1:-start}
[ $# -eq 0 ] || shift
mkdir -p -m 700 .local
recall_ports
choose_profile
case $verb in start | restart | scale | partitions | parked | requeue | discard | dlq | rebuild | ledger) isolate_networks ;; esac
case $verb in
    start | stop | restart | status | scale | reset | rebuild | ledger | restore) "$verb" "$@" ;;
    backup | archive) backup_tools "$verb" "$@" ;;
    partitions)
        [ $# -eq 1 ] || fail "partitions needs a number, for example: ./start_project.sh partitions 12"
        in_service relay python -m producer.topics grow "$1"
        ;;
    parked)
        [ $# -eq 0 ] || fail "parked takes no arguments."
        relay parked
        ;;
    requeue | discard)
        [ $# -eq 1 ] || fail "$verb needs the ID of one parked event; ./start_project.sh parked lists them."
        relay "$verb" "$1"
        ;;
    dlq)
        [ $# -gt 0 ] || fail "dlq needs a word: list, show ID, requeue ID, discard ID; --all, --order ID or --reason TEXT for ID."
        in_service projector python -m projector dlq "$@"
        ;;
    logs)
        # As natively: the last lines of each service. A --tail of the user's own comes later and wins.
        set -- --tail 100 "$@"
        [ ! -t 1 ] || exec docker compose logs "$@"
        # Some versions of Compose begin each line with the control sequence that erases it, terminal or not.
        docker compose --ansi never logs "$@" | sed "s/^$(printf '\033')\[2K//"
        ;;
    *) fail "There is no command $verb; see ./start_project.sh --help." ;;
esac
