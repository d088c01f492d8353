#!/bin/sh
# Healthy: it answers a user with a password, has loaded its file, and can write it.
set -eu
REDISCLI_AUTH=$(tr -d '\r\n' < "${SECRETS:-/run/secrets}/redis-monitor")
export REDISCLI_AUTH
info=$(redis-cli --user monitor --no-auth-warning "$@" info persistence)
for wanted in loading:0 aof_enabled:1 aof_last_write_status:ok; do
    case $info in
        *"$wanted"*) ;;
        *) echo "healthy.sh: expected $wanted" >&2; exit 1 ;;
    esac
done
