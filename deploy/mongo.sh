#!/bin/bash
# The store's container: a replica set of one asks for a key that its members share. It has no other member, so a new
# key at every start will do, and there is no secret to keep in a file.
set -euo pipefail

key=/tmp/replica.key
head --bytes 512 /dev/urandom | base64 > "$key"
chown mongodb:mongodb "$key"
chmod 400 "$key"
exec docker-entrypoint.sh mongod --replSet shoal --keyFile "$key" --bind_ip_all
