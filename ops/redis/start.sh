#!/bin/sh
# Starts Redis with the users of users.acl. Their passwords are read from files, and never on a command line or in the
# environment: only their SHA-256 is put into the ACL file, which lies in memory.
#
#   SECRETS  folder with one file a user: redis-worker, redis-producer, ... (default /run/secrets)
#   DATA     folder of the append-only file (default /data)
#   RUN      folder that only we can enter, in memory (default /run/redis)
#   PRODUCERS  file with the lines of registered producers (default producers.acl beside this script; none is well)
# Arguments go to redis-server as they are, after its settings.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
secrets=${SECRETS:-/run/secrets}
run=${RUN:-/run/redis}
producers=${PRODUCERS:-$here/producers.acl}
script=$run/users.sed

: > "$script"
# shellcheck disable=SC2013 # one word a line: names of users
for user in $(sed -n 's/.*#@\([a-z]*\)@.*/\1/p' "$here/users.acl"); do
    file=$secrets/redis-$user
    if ! password=$(tr -d '\r\n' < "$file") || [ -z "$password" ]; then
        echo "start.sh: expected the password of the user $user in $file; make secrets writes it" >&2
        exit 2
    fi
    # printf is part of the shell: no process sees the password among its arguments.
    hash=$(printf %s "$password" | sha256sum)
    printf 's/#@%s@/#%s/\n' "$user" "${hash%% *}" >> "$script"
done
sed -f "$script" "$here/users.acl" > "$run/users.acl"
# Registered producers, one line each as `scrub producer add --password-file` prints it.
[ ! -f "$producers" ] || cat "$producers" >> "$run/users.acl"
rm -f "$script"

server=${REDIS_SERVER:-redis-server}
# Valkey since 8.1 logs large commands too, with their arguments. Other servers do not start with these settings.
case $("$server" --version) in
    "Valkey server v="[0-7].* | "Valkey server v=8.0."*) ;;
    "Valkey server v="*) set -- --commandlog-request-larger-than -1 --commandlog-reply-larger-than -1 "$@" ;;
esac

cd "${DATA:-/data}"
exec "$server" "$here/redis.conf" --aclfile "$run/users.acl" "$@"
