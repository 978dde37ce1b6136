#!/bin/bash
# A replica set of one asks for a key that its members share. It has no other member, so a new one at every start will do.
set -euo pipefail

key=/tmp/replica.key
head --bytes 512 /dev/urandom | base64 > "$key"
chmod 400 "$key"
exec docker-entrypoint.sh mongod --replSet shoal --keyFile "$key" --bind_ip_all --wiredTigerCacheSizeGB 1
