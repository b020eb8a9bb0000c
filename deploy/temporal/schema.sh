#!/bin/sh
# Makes or brings up to date the schema of both databases; SQL_* say where they are. May be run again at any time, and
# must be before a newer server is started: the server refuses an older schema.
set -eu
for name in temporal visibility; do
  database=temporal
  [ "$name" = temporal ] || database=temporal_visibility
  temporal-sql-tool --database "$database" setup-schema --version 0.0
  temporal-sql-tool --database "$database" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$name/versioned"
done
