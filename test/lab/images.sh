#!/usr/bin/env bash
# Makes Docker available and provides what the tests run on: an image of each RabbitMQ version and one of an S3 server, or
# of the RabbitMQ versions named. Called by bin/setup --lab, whose help says what this installs, and by bin/demo. Quiet when
# everything is there.
#   images.sh [VERSION...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/debian.sh
source "$here/debian.sh"

# RabbitMQ version and the Debian release that packages it.
VERSIONS=(3.10:bookworm 4.0:trixie 4.3:forky)

# A whole Ceph with its S3 gateway, from the Debian release that has it.
CEPH_IMAGE=mqbackup-lab/ceph-rgw:20.2
CEPH_SUITE=forky
CEPH_WANTED=yes
CEPH_PACKAGES=radosgw,ceph-mon,ceph-mgr,ceph-osd,ceph-common

say() { echo "setup: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

docker_answers() { docker version >/dev/null 2>&1; }

provide_docker() {
  docker_answers && return
  debian_root || fail "Docker is needed for the lab; start it, or name another with DOCKER_HOST"
  if ! command -v dockerd >/dev/null; then apt_install docker.io iptables ca-certificates; fi
  if ! command -v docker >/dev/null; then apt_install docker-cli; fi
  docker_answers || start_dockerd
}

start_dockerd() {
  if [ -d /run/systemd/system ]; then
    say "starting Docker (systemctl start docker)"
    systemctl start docker
    await_docker
    return
  fi
  local log=/var/log/dockerd.log
  say "starting dockerd in the background; its log is $log"
  setsid dockerd </dev/null >"$log" 2>&1 8<&- 9>&- &
  await_docker "$!" "$log"
}

# await_docker [PID LOG]: up to 60 s; after an unclean end dockerd first clears what was left.
await_docker() {
  local second
  for second in $(seq 60); do
    docker_answers && return
    if [ -n "${1:-}" ] && ! kill -0 "$1" 2>/dev/null; then fail "dockerd has ended; $2 ends: $(tail -n 1 "$2")"; fi
    sleep 1
  done
  fail "Docker does not answer after $second s${2:+; see $2}"
}

present() { docker image inspect "$1" >/dev/null 2>&1; }

# provide_image VERSION SUITE: given by environment, present, pulled, built.
provide_image() {
  local version="$1" suite="$2" setting="MQBACKUP_IMAGE_${1/./_}"
  local image="mqbackup-lab/rabbitmq:$version" official="rabbitmq:$version-management"
  if [ -n "${!setting:-}" ]; then
    present "${!setting}" || docker pull --quiet "${!setting}" >&2 || fail "$setting: no image ${!setting}"
    return
  fi
  present "$image" && return
  if ! present "$official" && registry_reachable "$official"; then
    say "pulling $official"
    docker pull --quiet "$official" >/dev/null || true
  fi
  if present "$official"; then docker tag "$official" "$image"; return; fi
  build_image 'MQBACKUP_IMAGE_*' "$image" "$suite" rabbitmq-server --change 'ENV RABBITMQ_LOGS=- LANG=C.UTF-8' \
    --change 'EXPOSE 5672 15672 5552' --change 'CMD ["rabbitmq-server"]'
}

# Given by environment, present, built: what is in registries has the same programs under other names.
provide_ceph() {
  local given="${MQBACKUP_IMAGE_CEPH_RGW:-}"
  if [ -n "$given" ]; then
    present "$given" || docker pull --quiet "$given" >&2 || fail "MQBACKUP_IMAGE_CEPH_RGW: no image $given"
    return
  fi
  present "$CEPH_IMAGE" && return
  build_image MQBACKUP_IMAGE_CEPH_RGW "$CEPH_IMAGE" "$CEPH_SUITE" "$CEPH_PACKAGES" --change 'ENV LANG=C.UTF-8' \
    --change 'EXPOSE 7480'
}

# Asks once, and not for long: on a machine without a registry the first name lookup may hang.
registry_reachable() { timeout 20 docker manifest inspect "$1" >/dev/null 2>&1; }

# build_image SETTING IMAGE SUITE PACKAGES [docker import options...]
build_image() {
  local setting="$1" image="$2" suite="$3" packages="$4" work mirror
  shift 4
  debian_root || fail "no registry to pull $image from, and building it needs Debian and root; set $setting"
  mirror=$(debian_mirror)
  work=$(mktemp -d "${TMPDIR:-/tmp}/mqbackup-lab-$BASHPID-XXXXXX") # sweep.sh knows the name
  trap "rm -rf '$work'" EXIT
  say "building $image from the Debian packages of $suite"
  # The one suite is named as a line: of a frozen mirror, -updates and -security may be expired.
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
    --include="$packages,ca-certificates" "$suite" "$work/image.tar" "deb $mirror $suite main" >"$work/log" 2>&1 ||
    fail "building $image failed: $(tail -n 5 "$work/log")"
  docker import "$@" --change "LABEL mqbackup-lab.image=$suite" "$work/image.tar" "$image" >/dev/null ||
    fail "docker import of $image failed"
}

needs_build() {
  local entry setting
  for entry in "${VERSIONS[@]}"; do
    setting="MQBACKUP_IMAGE_${entry%%:*}"
    setting=${setting/./_}
    [ -n "${!setting:-}" ] || present "mqbackup-lab/rabbitmq:${entry%%:*}" || return 0
  done
  [ "$CEPH_WANTED" = no ] || [ -n "${MQBACKUP_IMAGE_CEPH_RGW:-}" ] || present "$CEPH_IMAGE" || return 0
  return 1
}

# only VERSION...: of these versions.
only() {
  local entry name kept=()
  for name in "$@"; do
    for entry in "${VERSIONS[@]}"; do if [ "${entry%%:*}" = "$name" ]; then kept+=("$entry"); fi; done
  done
  VERSIONS=("${kept[@]}")
}

main() {
  if [ $# -gt 0 ]; then
    only "$@"
    CEPH_WANTED=no
  fi
  if command -v flock >/dev/null; then
    exec 9>"/tmp/mqbackup-lab-$(id -u).lock" # one at a time on this machine
    flock 9
  fi
  provide_docker
  needs_build || return 0
  if debian_root && ! command -v mmdebstrap >/dev/null; then apt_install mmdebstrap; fi
  local entry pids=() pid failed=no
  for entry in "${VERSIONS[@]}"; do
    (provide_image "${entry%%:*}" "${entry##*:}") &
    pids+=("$!")
  done
  if [ "$CEPH_WANTED" = yes ]; then
    provide_ceph &
    pids+=("$!")
  fi
  for pid in "${pids[@]}"; do wait "$pid" || failed=yes; done
  [ "$failed" = no ] || fail "not every image could be provided"
}

main "$@"
