#!/bin/sh
# Run once, by the image, on an empty volume: a role and databases for each of the two that keep something here, so that
# neither can read the other's, and nobody but an operator is superuser.
set -eu
psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<SQL
CREATE ROLE holdfast LOGIN PASSWORD '$(cat /run/secrets/db_password)';
CREATE ROLE temporal LOGIN PASSWORD '$(cat /run/secrets/temporal_db_password)';
ALTER DATABASE payment_gateway OWNER TO holdfast;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE payment_gateway, temporal, temporal_visibility FROM PUBLIC;
SQL
