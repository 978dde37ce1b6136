#!/usr/bin/env bash
# Two nodes with every service, and a third place with a vote, on this machine: each a network namespace of its own, all on
# one bridge that is in a namespace too. Nothing of it touches the machine's own network. As root; docs/scaling.md walks
# through it.
#
#   nodes.sh up              the network, the servers on a, b and c, the services on a and b
#   nodes.sh call a POST /v1/demo/functions '{…}'     a request at a node's API, as the operator
#   nodes.sh lose b          its link goes down, and everything on it is killed
#   nodes.sh restore b       link, servers and services again
#   nodes.sh shoal ARGS…     the command line, such as `shoal audit`
#   nodes.sh in a COMMAND…   a command on a node; `in net` is where callers are
#   nodes.sh down            end everything, and take the network away
#   nodes.sh network | servers NODE… | store | services NODE… | ready NODE…     the steps of `up`
#
# NODES_NAME begins the namespaces' names (shoal), NODES_DATA is the folder for data and logs (.shoal-nodes), PYTHON runs
# the services. Settings (SHOAL_…) are handed on. With NODES_UNTIL, a process's number, all goes down when that has ended.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
name=${NODES_NAME:-shoal}
data=$(realpath --canonicalize-missing "${NODES_DATA:-.shoal-nodes}")
python=${PYTHON:-python3}
declare -A address=([a]=10.77.0.1 [b]=10.77.0.2 [c]=10.77.0.3 [net]=10.77.0.100)
places=(a b c)
services=(router executor recorder scheduler triggers api)

say() { echo "nodes: $*" >&2; }

# A command in a node's network.
within() {
  local node=$1
  shift
  ip netns exec "$name-$node" "$@"
}

# The same, left running; its output goes to a log.
leave() {
  local node=$1 log=$data/$1/$2.log
  shift 2
  mkdir -p "$(dirname "$log")"
  setsid ip netns exec "$name-$node" "$@" >> "$log" 2>&1 < /dev/null &
}

# A secret of this installation, made the first time.
secret() {
  local file=$data/secrets/$1
  if [[ ! -e $file ]]; then
    (umask 077 && mkdir -p "$data/secrets" && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$file")
  fi
  cat "$file"
}

# What is the same on every place, by commas: "nats://…@10.77.0.1:4222,nats://…@10.77.0.2:4222,…".
everywhere() {
  local before=$1 port=$2 node all=()
  for node in "${places[@]}"; do
    all+=("$before${address[$node]}:$port")
  done
  local IFS=,
  echo "${all[*]}"
}

addresses() {
  export NATS_URL MONGODB_URL PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
  NATS_URL=$(everywhere "nats://shoal:$(secret nats)@" 4222)
  MONGODB_URL="mongodb://shoal:$(secret mongodb)@$(everywhere '' 27017)/?replicaSet=shoal&authSource=admin"
}

# Whoever has asked for the nodes may die without a word.
watch_over() {
  mkdir -p "$data"
  setsid bash -c 'tail --pid="$1" -f /dev/null && exec "$2" down' watcher "$1" "$root/deploy/two-nodes/nodes.sh" \
    > /dev/null 2>&1 < /dev/null &
  echo $! > "$data/watcher"
}

network() {
  if [[ -n ${NODES_UNTIL:-} ]]; then
    watch_over "$NODES_UNTIL"
  fi
  ip netns add "$name-net"
  ip -n "$name-net" link add name br0 type bridge
  ip -n "$name-net" address add "${address[net]}/24" dev br0
  ip -n "$name-net" link set dev br0 up
  ip -n "$name-net" link set dev lo up
  local node
  for node in "${places[@]}"; do
    ip netns add "$name-$node"
    ip -n "$name-net" link add name "to-$node" type veth peer name eth0 netns "$name-$node"
    ip -n "$name-net" link set dev "to-$node" master br0 up
    ip -n "$name-$node" address add "${address[$node]}/24" dev eth0
    ip -n "$name-$node" link set dev eth0 up
    ip -n "$name-$node" link set dev lo up
  done
}

nats_conf() {
  local node=$1 password
  password=$(secret nats)
  cat <<END
server_name: $node
listen: 0.0.0.0:4222
max_payload: 12MB
max_pending: 256MB
authorization { user: shoal, password: "$password" }
jetstream { store_dir: "$data/$node/jetstream", sync_interval: "2m" }
cluster {
  name: shoal
  listen: 0.0.0.0:6222
  authorization { user: shoal, password: "$password", timeout: 5 }
  routes: [$(everywhere "nats-route://shoal:$password@" 6222)]
}
END
}

# The servers' programs: those that are named, or those of the Python packages.
program() {
  PYTHONPATH=$root "$python" - "$1" "$data" <<'END'
import sys
from pathlib import Path
from shared.embedded import binaries
print(binaries.runnable(getattr(binaries, sys.argv[1])(None), copy_to=Path(sys.argv[2])))
END
}

servers() {
  local node nats=${NATS_SERVER:-} mongod=${MONGOD:-}
  mkdir -p "$data"
  nats=${nats:-$(program nats_server)} mongod=${mongod:-$(program mongod)}
  secret replica > /dev/null
  for node in "$@"; do
    mkdir -p "$data/$node/mongodb"
    (umask 077 && nats_conf "$node" > "$data/$node/nats.conf")
    leave "$node" nats "$nats" --config "$data/$node/nats.conf"
    leave "$node" mongod "$mongod" --replSet shoal --bind_ip_all --port 27017 --nounixsocket --quiet \
      --keyFile "$data/secrets/replica" --setParameter enableLocalhostAuthBypass=0 \
      --dbpath "$data/$node/mongodb" --wiredTigerCacheSizeGB 0.25 --oplogSize 256
  done
}

store() {
  secret mongodb > /dev/null
  PYTHONPATH=$root within net "$python" -m shared.store.initiate \
    "$(everywhere '' 27017)" shoal "$data/secrets/replica" "$data/secrets/mongodb"
}

services() {
  local node service port
  addresses
  secret key > /dev/null
  for node in "$@"; do
    port=9100
    for service in "${services[@]}"; do
      (
        export SHOAL_STREAM_REPLICAS=3 SHOAL_SECRET_KEY_FILE=$data/secrets/key SHOAL_SEAT=$service-$node
        export SHOAL_HEALTH_HOST=0.0.0.0 SHOAL_HEALTH_PORT=$port SHOAL_LOG_FORMAT=json
        export SHOAL_API_HOST=0.0.0.0 SHOAL_TRIGGERS_HOST=0.0.0.0 SHOAL_API_TRIGGERS_URL=http://${address[$node]}:8001
        if [[ $service = api ]]; then
          export SHOAL_ADMIN_TOKEN=shoal_$(secret token)
        fi
        cd "$root"
        leave "$node" "$service" "$python" -m "services.$service"
      )
      port=$((port + 1))
    done
  done
}

# Wait until every service of these nodes says that it can do its job.
ready() {
  local node port until=$((SECONDS + ${NODES_PATIENCE_S:-120}))
  for node in "$@"; do
    for port in $(seq 9100 $((9099 + ${#services[@]}))); do
      until within "$node" env SHOAL_HEALTH_PORT="$port" "$python" -I "$root/deploy/ready.py" 2> /dev/null; do
        if ((SECONDS > until)); then
          say "${services[port - 9100]} on $node is not ready; its log is in $data/$node"
          return 1
        fi
        sleep 0.2
      done
    done
  done
}

end_all() {
  local node=$1 pids
  while pids=$(ip netns pids "$name-$node") && [[ -n $pids ]]; do
    # shellcheck disable=SC2086 # a list of numbers
    kill -9 $pids 2> /dev/null || true
    sleep 0.05
  done
}

lose() {
  ip -n "$name-net" link set dev "to-$1" down
  end_all "$1"
}

restore() {
  ip -n "$name-net" link set dev "to-$1" up
  servers "$1"
  services "$1"
  ready "$1"
}

down() {
  local node watcher
  if [[ -e $data/watcher ]]; then
    watcher=$(cat "$data/watcher")
    rm "$data/watcher"
    [[ $watcher = $$ ]] || kill -- "-$watcher" 2> /dev/null || true
  fi
  for node in "${places[@]}" net; do
    if ip netns list | grep -qE "^$name-$node( |$)"; then
      end_all "$node"
      ip netns delete "$name-$node"
    fi
  done
}

up() {
  trap 'say "it did not come up; logs are in $data"; down' ERR
  network
  servers "${places[@]}"
  store
  services a # the first ones lay the streams, which the others would only wait for
  ready a
  services b
  ready b
  trap - ERR
  say "http://${address[a]}:8000 and http://${address[b]}:8000 in $name-net; the operator's token: shoal_$(secret token)"
}

# While the others choose anew who leads, there are answers of 503: asked again with its key, a call is one call.
call() {
  local node=$1 method=$2 path=$3 body=${4:-}
  within net curl --silent --show-error --fail-with-body --retry 20 --retry-delay 2 --retry-all-errors --max-time 60 \
    --request "$method" --header "Authorization: Bearer shoal_$(secret token)" \
    --header "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" --header "Content-Type: application/json" \
    ${body:+--data "$body"} "http://${address[$node]}:8000$path"
  echo
}

shoal() {
  addresses
  cd "$root"
  within net "$python" -m cli "$@"
}

case ${1:-} in
  up | down | network | store | call | lose | restore | servers | services | ready | shoal) "$@" ;;
  in) shift && within "$@" ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
