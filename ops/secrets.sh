#!/bin/sh
# Makes the passwords that docker-compose.yml hands out, one file each, where they are missing: 256 random bits.
# The folder is its owner's alone; the files in it are readable, since a container reads them as another user.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
users=$(sed -n 's/.*#@\([a-z]*\)@.*/redis-\1/p' "$(dirname "$0")/redis/users.acl")
for name in $users postgresql grafana-admin; do
    [ -s "$folder/$name" ] && continue
    od -An -tx1 -N32 /dev/urandom | tr -d ' \n' > "$folder/$name"
    echo >> "$folder/$name"
    chmod 444 "$folder/$name"
    echo "$folder/$name"
done
