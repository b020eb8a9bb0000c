#!/bin/sh
# `deploy/make-secrets.sh [FOLDER]`: makes every secret of docker-compose.yml that is not there yet (deploy/secrets). What
# is there stays: the encryption keys above all, without which the stored secrets of merchants cannot be read any more.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
# Containers read their files under users of their own, so the folder keeps others out, not the files.
chmod 700 "$folder"

# text NAME TEXT...: one file, whole or not at all
text() {
  path=$folder/$1
  shift
  printf '%s\n' "$*" > "$path.new"
  chmod 444 "$path.new"
  mv "$path.new" "$path"
}
missing() { [ ! -e "$folder/$1" ]; }

for name in postgres_password db_password temporal_db_password redis_password holdfast_admin_key grafana_admin_password; do
  missing "$name" && text "$name" "$(openssl rand -hex 24)"
done
missing holdfast_encryption_keys && text holdfast_encryption_keys "k1:$(openssl rand -base64 32)"
missing holdfast_payload_keys && text holdfast_payload_keys "p1:$(openssl rand -base64 32)"
# The token that the gateway shows to the codec server, once for each of them.
if missing codec_tokens || missing codec_authorization; then
  token=$(openssl rand -hex 24)
  text codec_tokens "web-ui:$token"
  text codec_authorization "proxy_set_header Authorization \"Bearer $token\";"
fi
if missing web_ui_users; then
  password=$(openssl rand -hex 12)
  text web_ui_password "$password"
  text web_ui_users "operator:$(printf '%s' "$password" | openssl passwd -6 -stdin)"
fi
ls "$folder"
