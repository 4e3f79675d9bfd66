#!/bin/sh
# Makes the passwords that are missing, one file each, in the folder FOLDER (secrets/ by default), and tells where they
# are. Nothing that is there is changed. Only who may enter the folder can read them; inside containers, where each
# file is mounted alone, another user has to read it.
set -eu

folder=${1:-secrets}
umask 077
mkdir -p "$folder/cameras"
# This one is mounted as a folder; the one around it keeps others out.
chmod 755 "$folder/cameras"

for name in redis_password postgres_password web_password metrics_token session_secret grafana_password; do
    if [ ! -s "$folder/$name" ]; then
        od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$name.new"
        chmod 444 "$folder/$name.new"
        mv "$folder/$name.new" "$folder/$name"
        echo "made $folder/$name"
    fi
done
echo "the site's password is in $folder/web_password, Grafana's (user admin) in $folder/grafana_password"
echo "cameras' passwords: one file each in $folder/cameras, named as the configuration names them: \${LOBBY_PASSWORD}"
