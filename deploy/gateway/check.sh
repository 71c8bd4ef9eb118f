#!/bin/sh
# Runs before nginx: refuses to open the ports to others without TLS and a password, and writes what nginx.conf
# includes.
set -eu
secrets=/secrets/gateway
out=/tmp/nginx
mkdir -p "$out"

refuse() {
    echo "error: $1" >&2
    exit 1
}

for name in tls.crt tls.key htpasswd; do
    [ ! -e "$secrets/$name" ] || [ -r "$secrets/$name" ] ||
        refuse "The gateway runs as uid $(id -u) and cannot read $name: chmod or chown it."
done

tls='' password=''
if [ -s "$secrets/tls.crt" ] && [ -s "$secrets/tls.key" ]; then
    tls=yes
elif [ -e "$secrets/tls.crt" ] || [ -e "$secrets/tls.key" ]; then
    refuse "TLS needs both tls.crt and tls.key in GATEWAY_SECRETS."
fi
[ ! -s "$secrets/htpasswd" ] || password=yes

case ${BIND_ADDRESS:-127.0.0.1} in
    127.* | ::1 | '[::1]' | localhost) per_second=5000 burst=5000 streams=2000 random=5000 random_burst=5000 ;;
    *)
        # For strangers. The checkout page sends 1,000 random orders in 20 requests.
        per_second=50 burst=200 streams=50 random=1 random_burst=20
        [ "$tls" ] && [ "$password" ] ||
            refuse "BIND_ADDRESS=$BIND_ADDRESS opens the ports to others: that needs tls.crt, tls.key and htpasswd in GATEWAY_SECRETS (deploy/gateway/README.md)."
        ;;
esac

# A file with the port of each server, and one with the options of all.
ssl='' http2=''
if [ "$tls" ]; then
    # Over HTTP/2 a browser needs one connection for all its tabs and streams. It is a word of listen before nginx 1.25.1.
    ssl=' ssl' http2='http2 on;'
    if nginx -v 2>&1 | grep -qE 'nginx/1\.(1?[0-9]\.|2[0-4]\.|25\.0)'; then
        ssl=' ssl http2' http2=''
    fi
fi
ipv6=''
[ ! -e /proc/net/if_inet6 ] || ipv6=yes
for server in producer:5001 consumer:5002 projector:5003 kafka-ui:8080; do
    port=${server#*:}
    echo "listen $port$ssl;${ipv6:+ listen [::]:$port$ssl;}" >"$out/${server%:*}.listen"
done
if [ "$tls" ]; then
    cat >"$out/options.conf" <<END
ssl_certificate $secrets/tls.crt;
ssl_certificate_key $secrets/tls.key;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:1m;
$http2
END
else
    : >"$out/options.conf"
fi
[ ! "$password" ] || cat >>"$out/options.conf" <<END
auth_basic "orders";
auth_basic_user_file $secrets/htpasswd;
END
cat >>"$out/options.conf" <<END
limit_req_zone \$binary_remote_addr zone=requests:4m rate=${REQUESTS_PER_SECOND:-$per_second}r/s;
limit_req_zone \$binary_remote_addr zone=random:1m rate=${random}r/s;
limit_conn_zone \$binary_remote_addr zone=streams:4m;
END
echo "limit_req zone=requests burst=${REQUESTS_BURST:-$burst} nodelay;" >"$out/requests.limit"
{ cat "$out/requests.limit"; echo "limit_req zone=random burst=$random_burst nodelay;"; } >"$out/random.limit"
echo "limit_conn streams ${STREAMS_PER_ADDRESS:-$streams};" >"$out/streams.limit"
echo "client_max_body_size $((${MAX_BODY_BYTES:-1048576}));" >"$out/body.limit"
# The names under which Kafka UI may be asked for, with any port.
{
    echo 'default 1;'
    echo "${TRUSTED_HOSTS:-localhost,127.0.0.1,[::1]}" | tr ',' '\n' | while read -r host; do
        case $host in
            '') ;;
            *[!A-Za-z0-9.:_[\]-]*) refuse "TRUSTED_HOSTS: $host is not a host name." ;;
            *) printf '"~*^\\Q%s\\E(:[0-9]+)?$" 0;\n' "$host" ;;
        esac
    done
} >"$out/hosts.map"
# Each open stream takes two file descriptors, so allow as many as possible.
# shellcheck disable=SC3045 # not POSIX, but the shell of the image (BusyBox) has -H
echo "worker_rlimit_nofile $(ulimit -H -n | sed 's/unlimited/1048576/');" >"$out/files.limit"
echo "gateway: TLS ${tls:-no}, password ${password:-no}, for ${BIND_ADDRESS:-127.0.0.1}"
