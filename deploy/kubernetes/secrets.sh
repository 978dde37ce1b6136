#!/usr/bin/env bash
# Make an overlay's secrets.env and secret.key: `deploy/kubernetes/secrets.sh deploy/kubernetes/overlays/single`.
# What is there already stays. Keep a copy of secret.key elsewhere: without it the secrets in the database are lost.
set -euo pipefail

folder=${1:?the folder of the overlay}
umask 077
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

if [[ ! -e $folder/secret.key ]]; then
  random > "$folder/secret.key"
fi
if [[ ! -e $folder/secrets.env ]]; then
  nats=$(random) mongodb=$(random)
  cat > "$folder/secrets.env" <<END
SHOAL_ADMIN_TOKEN=shoal_$(random)
NATS_PASSWORD=$nats
NATS_URL=nats://shoal:$nats@shoal-nats:4222
MONGODB_PASSWORD=$mongodb
MONGODB_URL=${MONGODB_URL:-mongodb://shoal:$mongodb@shoal-mongo:27017/?replicaSet=shoal&authSource=admin}
END
fi
