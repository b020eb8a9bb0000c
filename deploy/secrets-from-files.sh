#!/bin/sh
# `secrets-from-files.sh COMMAND...`: runs COMMAND with X set to what is in the file that X_FILE names, for every X_FILE
# that names one of SECRETS_DIR (/run/secrets; SSL_CERT_FILE and the like are somebody else's). So a secret stands
# neither in the compose file nor in what `docker inspect` shows.
set -eu
folder=${SECRETS_DIR:-/run/secrets}
for name in $(env | sed -n "s#^\([A-Z][A-Z0-9_]*\)_FILE=$folder/.*#\1#p"); do
  file=
  eval "file=\$${name}_FILE"
  [ -r "$file" ] || { echo "${name}_FILE names $file, which cannot be read" >&2; exit 1; }
  value=$(cat "$file")
  export "$name=$value"
  unset "${name}_FILE"
done
exec "$@"
