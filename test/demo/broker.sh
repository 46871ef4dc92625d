# Sourced by bin/demo: a broker to demonstrate on. Sets MQBACKUP_URL and MQBACKUP_MANAGEMENT_URL. Expects root, work,
# keep, say and fail; stop_broker ends what provide_broker started, and nothing else.
# shellcheck shell=bash disable=SC2154

container="" node="" node_epmd="" policy=""

provide_broker() {
  if [ -n "${MQBACKUP_URL:-}" ]; then
    say "using the broker of MQBACKUP_URL"
    export MQBACKUP_URL MQBACKUP_MANAGEMENT_URL="${MQBACKUP_MANAGEMENT_URL:-}"
    # The demo's own calls trust what mqbackup trusts.
    if [ -n "${MQBACKUP_TLS_CA:-}" ]; then export NODE_EXTRA_CA_CERTS="$MQBACKUP_TLS_CA"; fi
    return
  fi
  node -p 'require("node:crypto").randomBytes(12).toString("hex")' >broker-password
  read -r password <broker-password
  configure
  if docker_broker; then return; fi
  if ! rabbitmq_server >/dev/null; then install_rabbitmq; fi
  installed_broker
}

# Only the owner of the directory above gets as far as this file.
configure() {
  cat >rabbitmq.conf <<TEXT
default_user = demo
default_pass = $password
collect_statistics_interval = 1000
TEXT
  echo '[rabbitmq_management].' >enabled_plugins
  chmod 644 rabbitmq.conf enabled_plugins
}

use_ports() {
  export MQBACKUP_URL="amqp://demo:$password@127.0.0.1:$1" MQBACKUP_MANAGEMENT_URL="http://127.0.0.1:$2"
}

docker_broker() {
  command -v docker >/dev/null || command -v dockerd >/dev/null || return 1
  "$root/test/lab/images.sh" 4.3 || return 1
  say "starting RabbitMQ 4.3 in a container"
  local labels=()
  if [ "$keep" = no ]; then # sweep.sh removes it when this process is killed
    labels=(--label mqbackup-lab=1 --label "mqbackup-lab.host=$HOSTNAME" --label "mqbackup-lab.owner=$$"
      --label mqbackup-lab.owner-started=unknown)
  fi
  container="mqbackup-demo-$$"
  start_container "${labels[@]+"${labels[@]}"}" >start.log 2>&1 || fail "the container does not start: $(tail -n 1 start.log)"
  local amqp http
  read -r amqp <amqp-port
  read -r http <http-port
  use_ports "${amqp##*:}" "${http##*:}"
}

start_container() {
  docker create --name "$container" "$@" --publish 127.0.0.1::5672 --publish 127.0.0.1::15672 \
    "${MQBACKUP_IMAGE_4_3:-mqbackup-lab/rabbitmq:4.3}" &&
    docker cp rabbitmq.conf "$container:/etc/rabbitmq/rabbitmq.conf" &&
    docker cp enabled_plugins "$container:/etc/rabbitmq/enabled_plugins" &&
    docker start "$container" &&
    docker port "$container" 5672 >amqp-port &&
    docker port "$container" 15672 >http-port
}

# The program itself where there is one: Debian's rabbitmq-server in PATH runs as its own user only.
rabbitmq_server() {
  if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    echo /usr/lib/rabbitmq/bin/rabbitmq-server
  else
    command -v rabbitmq-server
  fi
}

install_rabbitmq() {
  # shellcheck source=test/lab/debian.sh
  source "$root/test/lab/debian.sh"
  debian_root || fail "no broker: set MQBACKUP_URL, or install Docker or RabbitMQ"
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d # the service is not wanted
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt_install rabbitmq-server
  say "the package stays; apt-get purge rabbitmq-server removes it"
  allow_services
}

allow_services() {
  if [ -n "$policy" ]; then rm -f "$policy"; fi
  policy=""
}

installed_broker() {
  local amqp http distribution
  node "$root/test/demo/free-ports.js" 4 >ports
  read -r amqp http distribution node_epmd <ports
  say "starting a node of the installed RabbitMQ"
  mkdir home data
  cat >>rabbitmq.conf <<TEXT
listeners.tcp.default = 127.0.0.1:$amqp
management.tcp.ip = 127.0.0.1
management.tcp.port = $http
TEXT
  env HOME="$work/home" ERL_EPMD_PORT="$node_epmd" ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_NODENAME="demo-$$@localhost" \
    RABBITMQ_DIST_PORT="$distribution" RABBITMQ_MNESIA_BASE="$work/data" RABBITMQ_LOG_BASE="$work/data" \
    RABBITMQ_CONFIG_FILE="$work/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$work/enabled_plugins" \
    RABBITMQ_CONF_ENV_FILE="$work/none" RABBITMQ_PID_FILE="$work/pid" \
    setsid "$(rabbitmq_server)" </dev/null >"$work/broker.log" 2>&1 &
  node=$!
  use_ports "$amqp" "$http"
}

stop_broker() {
  allow_services
  if [ -n "$container" ]; then docker rm --force --volumes "$container" >/dev/null 2>&1 || true; fi
  if [ -n "$node" ]; then
    kill -TERM -- "-$node" 2>/dev/null || true
    wait "$node" 2>/dev/null || true
    HOME="$work/home" ERL_EPMD_PORT="$node_epmd" epmd -kill >/dev/null 2>&1 || true
  fi
}

how_to_remove() {
  if [ -n "$container" ]; then
    echo "  docker rm --force --volumes $container"
  elif [ -n "$node" ]; then
    echo "  kill -- -$node; ERL_EPMD_PORT=$node_epmd epmd -kill"
  else
    echo "  rabbitmqctl delete_vhost mqbackup-demo"
  fi
}
