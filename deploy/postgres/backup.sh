#!/bin/sh
# Base backups, the archive of write-ahead log (WAL), and restores, with PostgreSQL's own programs. Natively
# local_stack/backup.py runs this, with Docker deploy/docker/stack.sh in a container of PostgreSQL's image.
#
#   backup.sh backup FOLDER                  take a base backup, check it, delete WAL that no backup needs any more
#   backup.sh archive FOLDER                 write WAL to FOLDER as it is made, until a signal
#   backup.sh check FOLDER [TIME]            see whether there is a backup for that, and whether it is whole
#   backup.sh restore FOLDER DATA [TIME]     make the data folder DATA, as it was at TIME or as late as there is WAL
#
# FOLDER/base-<UTC time of its end>/ is a base backup, FOLDER/wal/ the archive, FOLDER/history names the database, its
# timeline and its last restore, and who takes a backup holds the lock on FOLDER/lock. How to log in comes from libpq's variables, so that no password is on a command line.
set -eu
TZ=UTC
export TZ
umask 077 # all that customers have written

slot=archive
log=''
server=''

fail() {
    echo "error: $1" >&2
    exit 1
}

query() { psql --no-psqlrc --quiet --tuples-only --no-align --command "$1"; }

# After a restore the database goes on under the same name from an earlier state. Its log does not continue the old one.
same_history() {
    now=$(query "SELECT concat_ws(' ', system_identifier, timeline_id, nullif(current_setting('order_stream.history', true), '')) FROM pg_control_system(), pg_control_checkpoint()") ||
        fail "PostgreSQL does not answer: ./start_project.sh start postgres comes first."
    mkdir -p "$1/wal" 2>/dev/null || fail "$1 cannot be written."
    if [ -s "$1/history" ]; then
        [ "$(cat "$1/history")" = "$now" ] ||
            fail "$1 has backups of another database, or of this one before it was restored. Name a new folder."
    else
        echo "$now" >"$1/history" || fail "$1 cannot be written."
    fi
}

# A backup that fills the disk would fail halfway, and with it whatever else is on that disk.
enough_space() {
    needed=$(query "SELECT (sum(pg_database_size(oid)) / 1024 + 65536)::bigint FROM pg_database")
    free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -gt "$needed" ] ||
        fail "A backup takes up to $((needed / 1024)) MB, and $1 has $((free / 1024)) MB free. Nothing was written."
}

backup() {
    same_history "$1"
    exec 9>"$1/lock" # the kernel releases it when this ends, in whatever way
    flock --nonblock 9 || fail "Another backup is being taken to $1."
    enough_space "$1"
    part=$1/base.part
    rm -rf "$part"
    # With the log that was made meanwhile, so a backup can be restored without the archive. It is on disk at the end.
    pg_basebackup --pgdata="$part" --wal-method=stream --checkpoint=fast --manifest-checksums=SHA256 --no-password ||
        fail "pg_basebackup failed. Nothing was kept."
    sound "$part" || fail "The backup is not what PostgreSQL has sent: the disk of $1 is not sound."
    made=$1/base-$(date +%Y%m%dT%H%M%SZ)
    mv "$part" "$made"
    sync "$1"
    oldest=$(bases "$1" | head -1)
    first=$(sed -n 's/^START WAL LOCATION: .*(file \(.*\))$/\1/p' "$1/base-$oldest/backup_label")
    pg_archivecleanup "$1/wal" "$first"
    echo "  backup    $made ($(du -sk "$made" | awk '{ print int($1 / 1024) }') MB, checked)"
    [ "$(query "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'")" = t ] ||
        echo "  archive   does not run: what comes after this backup is not in $1 (./start_project.sh archive $1)"
}

archive() {
    same_history "$1"
    # With the slot, PostgreSQL keeps what has not been archived yet: at most max_slot_wal_keep_size.
    pg_receivewal --create-slot --if-not-exists --slot="$slot" --no-password || fail "The slot could not be made."
    case $(query "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '$slot'") in
        lost)
            query "SELECT pg_drop_replication_slot('$slot')" >/dev/null
            fail "The archive was behind for too long, and WAL that it needs is gone. Name a new folder, and take a backup there."
            ;;
    esac
    echo "  archive   writing to $1/wal; end it with Ctrl-C"
    exec pg_receivewal --directory="$1/wal" --slot="$slot" --synchronous --no-loop --no-password
}

# Compare a backup with the checksums that came with it. The wheel's pg_verifybackup crashes; then its manifest is read here,
# which has a line for each file and ends with its own checksum.
sound() {
    if pg_verifybackup --version >/dev/null 2>&1; then
        pg_verifybackup --quiet "$1"
        return
    fi
    own=$(sed -n 's/^"Manifest-Checksum": "\([0-9a-f]*\)"}$/\1/p' "$1/backup_manifest")
    [ "$(sed '$d' "$1/backup_manifest" | sha256sum)" = "$own  -" ] || return 1
    sed -n 's/^{ "Path": "\([^"]*\)".*"Checksum": "\([0-9a-f]*\)" }.*$/\2  \1/p' "$1/backup_manifest" |
        (cd "$1" && sha256sum --check --quiet --strict) || return 1
    sed -n 's/^{ "Timeline": \([0-9]*\), "Start-LSN": "\([^"]*\)", "End-LSN": "\([^"]*\)" }.*$/\1 \2 \3/p' "$1/backup_manifest" |
        while read -r timeline start end; do
            pg_waldump --quiet --path="$1/pg_wal" --timeline="$timeline" --start="$start" --end="$end" || exit 1
        done
}

# Print the times of the base backups, the oldest first.
bases() {
    for each in "$1"/base-*Z; do
        [ ! -d "$each" ] || echo "${each##*/base-}"
    done | sort
}

# Choose the backup to begin with, and see that it is whole.
check() {
    folder=$1 to=${2:-}
    chosen='' limit=''
    if [ "$to" ]; then
        limit=$(date -d "$to" '+%Y%m%dT%H%M%SZ' 2>/dev/null) || fail "$to is not a time such as 2026-11-26T16:20:00Z."
        to=$(date -d "$to" '+%Y-%m-%d %H:%M:%S.%6N+00')
    fi
    for each in $(bases "$folder"); do
        [ "$limit" ] && [ "$(printf '%s\n%s\n' "$each" "$limit" | sort | head -1)" != "$each" ] || chosen=$each
    done
    [ "$chosen" ] || fail "$folder has no backup${to:+ that ended before $to}. Nothing was changed."
    sound "$folder/base-$chosen" || fail "The backup base-$chosen is damaged. Nothing was changed."
    [ -d "$folder/wal" ] || fail "There is no folder $folder/wal: the archive is missing. Nothing was changed."
}

restore() {
    data=$2
    check "$1" "${3:-}"
    log=$data.log
    rm -rf "$data" "$data.wal"
    trap abandon INT TERM HUP
    cp -R "$folder/base-$chosen" "$data" || give_up "The data could not be copied."
    rm "$data/backup_manifest"
    chmod 700 "$data"
    wal=$folder/wal
    if [ "$(id -u)" = 0 ]; then # in a container: the server may not read the user's folder
        wal=$data.wal
        cp -R "$folder/wal" "$wal" || give_up "The archive could not be copied."
        chown -R postgres:postgres "$data" "$wal"
    fi
    recover "$data" "$wal" "$to"
    rm -rf "$data.wal" "$log"
    echo "  restored  base-$chosen and the log after it, up to ${reached:-the end of the backup}"
}

# Replay the log, and end as a database of its own.
recover() {
    : >"$log"
    # From the environment: in the command, a quote or a percent sign of a path would mean something.
    ARCHIVE=$2
    export ARCHIVE
    # The end of the archive is a file that is still being written.
    # shellcheck disable=SC2016 # for the shell that PostgreSQL starts
    fetch='cp "$ARCHIVE/%f" "%p" || cp "$ARCHIVE/%f.partial" "%p"'
    set -- "$1" "$3" -c "restore_command=$fetch" -c hot_standby=off -c archive_mode=off -c recovery_target_action=promote
    data=$1 to=$2
    shift 2
    [ -z "$to" ] || set -- "$@" -c "recovery_target_time=$to"
    socket=$(mktemp -d)
    : >"$data/recovery.signal"
    own "$data/recovery.signal" "$log" "$socket"
    set -- -c listen_addresses= -c "unix_socket_directories=$socket" -c logging_collector=off "$@"
    as_server postgres -D "$data" "$@" >>"$log" 2>&1 &
    server=$!
    until grep -q 'database system is ready to accept connections' "$log"; do
        kill -0 "$server" 2>/dev/null || give_up "$(grep -E 'FATAL|PANIC' "$log" | tail -1 | sed 's/.*\(FATAL\|PANIC\): *//')."
        sleep 0.2
    done
    reached=$(sed -n 's/.*last completed transaction was at log time \(.*\)/\1/p' "$log" | tail -1)
    kill -INT "$server"
    wait "$server" || :
    server=''
    rm -rf "$socket"
    [ "$to" ] || whole "$data"
    set_owner "$data"
}

# Replay ends without an error at a file that is missing or damaged. Were there later ones, it was not the archive's end.
# The archive may also have ended before the backup began. A name begins with the timeline, and grows.
whole() {
    used=$({
        sed -n 's/^START WAL LOCATION: .*(file \(.*\))$/\1/p' "$1/backup_label.old"
        sed -n 's/.*restored log file "\([0-9A-F]\{24\}\)" from archive.*/\1/p' "$log"
    } | sort | tail -1)
    later=$(find "$ARCHIVE" -type f | sed -n 's|.*/\([0-9A-F]\{24\}\)\(\.partial\)\{0,1\}$|\1|p' | awk -v used="$used" '("x" $0) > ("x" used)' | sort | head -1)
    [ -z "$later" ] ||
        give_up "The archive has a hole after $used: the next file in wal/ is $later. Without the files from there on, what comes before can be restored."
}

# The data may come from another machine, with another password of its owner. Two restores of one backup have the same
# timeline, so each gets a name that no other has. `postgres --single` reads a statement from each line.
set_owner() {
    name=$(od -A n -N 8 -t x1 /dev/urandom | tr -d ' ')
    printf "ALTER ROLE %s PASSWORD '%s'\nALTER ROLE %s SET order_stream.history = '%s'\n" "$PGUSER" "$PGPASSWORD" "$PGUSER" "$name" |
        as_server postgres --single -D "$1" postgres >/dev/null 2>>"$log" ||
        give_up "The owner's password could not be set."
}

give_up() {
    reason=$1
    rm -rf "$data" "$data.wal" "${socket:-}"
    fail "$reason Nothing was changed. The log of the attempt: $log"
}

# A server that has just begun ends by TERM only, one that replays ends at once by QUIT only.
abandon() {
    [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || :
    [ -z "$server" ] || kill -QUIT "$server" 2>/dev/null || :
    [ -z "$server" ] || wait "$server" || :
    rm -rf "$data" "$data.wal" "$log" "${socket:-}"
    echo "error: Interrupted. Nothing was changed." >&2
    exit 1
}

own() { [ "$(id -u)" != 0 ] || chown postgres:postgres "$@"; }
# For a subshell, which becomes the server: a signal to it is one to the server.
as_server() {
    [ "$(id -u)" != 0 ] || exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    exec "$@"
}

case ${1:-} in
    backup | archive | check | restore) "$@" ;;
    *) fail "There is no command ${1:-} here." ;;
esac
