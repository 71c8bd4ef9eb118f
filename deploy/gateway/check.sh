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
    127.* | ::1 | '[::1]' | localhost) ;;
    *)
        [ "$tls" ] && [ "$password" ] ||
            refuse "BIND_ADDRESS=$BIND_ADDRESS opens the ports to others: that needs tls.crt, tls.key and htpasswd in GATEWAY_SECRETS (deploy/gateway/README.md)."
        ;;
esac

# One file with the port of each server, and one with the options of both.
if [ "$tls" ]; then
    echo "listen 5001 ssl; listen [::]:5001 ssl;" >"$out/producer.listen"
    echo "listen 5002 ssl; listen [::]:5002 ssl;" >"$out/consumer.listen"
    cat >"$out/options.conf" <<END
ssl_certificate $secrets/tls.crt;
ssl_certificate_key $secrets/tls.key;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:1m;
END
else
    echo "listen 5001; listen [::]:5001;" >"$out/producer.listen"
    echo "listen 5002; listen [::]:5002;" >"$out/consumer.listen"
    : >"$out/options.conf"
fi
[ -e /proc/net/if_inet6 ] || sed -i 's/ listen \[::\].*//' "$out/producer.listen" "$out/consumer.listen"
[ ! "$password" ] || cat >>"$out/options.conf" <<END
auth_basic "orders";
auth_basic_user_file $secrets/htpasswd;
END
cat >>"$out/options.conf" <<END
limit_req_zone \$binary_remote_addr zone=requests:4m rate=${REQUESTS_PER_SECOND:-5000}r/s;
limit_conn_zone \$binary_remote_addr zone=streams:4m;
END
echo "limit_req zone=requests burst=${REQUESTS_BURST:-5000} nodelay;" >"$out/requests.limit"
echo "limit_conn streams ${STREAMS_PER_ADDRESS:-2000};" >"$out/streams.limit"
# Each open stream takes two file descriptors, so allow as many as possible.
# shellcheck disable=SC3045 # not POSIX, but the shell of the image (BusyBox) has -H
echo "worker_rlimit_nofile $(ulimit -H -n | sed 's/unlimited/1048576/');" >"$out/files.limit"
echo "gateway: TLS ${tls:-no}, password ${password:-no}, for ${BIND_ADDRESS:-127.0.0.1}"
