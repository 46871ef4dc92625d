#!/usr/bin/env bash
# Removes what killed test runs have left behind: containers, mounts and temporary directories of the lab whose owner
# process is gone. Never touches anything of a living run, of another machine or without the lab's mark.
#   sweep.sh            sweep
#   sweep.sh --of PID   also what belongs to PID, though it lives (the end of a run)
set -euo pipefail

ending=""
if [ "${1:-}" = "--of" ]; then ending="$2"; fi

# tell WHAT OWNER: what a run removes at its own end is not worth a word.
tell() {
  [ "$2" = "$ending" ] || echo "sweep: removing $1, left by process $2" >&2
}

# alive PID STARTED: the process exists and is the one that was meant (ids are used again).
alive() {
  [ "$1" != "$ending" ] && kill -0 "$1" 2>/dev/null || return 1
  [ "$2" = unknown ] || [ ! -r "/proc/$1/stat" ] && return 0
  local stat
  stat=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086
  set -- "$1" "$2" $stat
  [ "${22}" = "$2" ]
}

sweep_containers() {
  local format='{{.ID}}|{{.Label "mqbackup-lab.host"}}|{{.Label "mqbackup-lab.owner"}}|{{.Label "mqbackup-lab.owner-started"}}'
  local id host owner started
  docker ps --all --no-trunc --filter label=mqbackup-lab=1 --format "$format" 2>/dev/null |
    while IFS='|' read -r id host owner started; do
      [ "$host" = "$(hostname)" ] && [ -n "$owner" ] || continue
      alive "$owner" "$started" && continue
      tell "container ${id:0:12}" "$owner"
      docker rm --force --volumes "$id" >/dev/null || true
    done
}

sweep_directories() {
  local directory owner
  for directory in "${TMPDIR:-/tmp}"/mqbackup-lab-[0-9]*; do
    [ -d "$directory" ] || continue
    owner=${directory##*/mqbackup-lab-}
    owner=${owner%%-*}
    alive "$owner" unknown && continue
    tell "$directory" "$owner"
    while read -r mount; do umount "$mount" || true; done < <(awk -v d="$directory" 'index($2, d) == 1 { print $2 }' /proc/mounts 2>/dev/null)
    rm -rf --one-file-system "$directory" || true
  done
}

if command -v docker >/dev/null; then sweep_containers; fi
sweep_directories
