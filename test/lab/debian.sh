# Sourced by bin/setup and images.sh: what can be taken from Debian. Expects say and fail.

debian_root() {
  [ "$(id -u)" = 0 ] && [ -r /etc/os-release ] && grep -qx 'ID=debian' /etc/os-release
}

# apt_install PACKAGE...: installs, says so, needs no terminal.
apt_install() {
  say "installing Debian packages: $*"
  local log
  log=$(mktemp)
  if ! apt_quietly "$@" </dev/null >"$log" 2>&1; then fail "apt-get could not install $*: $(tail -n 5 "$log")"; fi
  rm -f "$log"
}

apt_quietly() {
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
  export DEBIAN_FRONTEND=noninteractive
  # A frozen mirror's lists are past their date; the packages themselves are still checked by signature.
  "${apt[@]}" update || "${apt[@]}" -o Acquire::Check-Valid-Until=false update || true
  "${apt[@]}" install -y --no-install-recommends "$@"
}

# The mirror this machine's apt uses for Debian itself: the first source of its release that is not security.
debian_mirror() {
  if [ -n "${MQBACKUP_DEBIAN_MIRROR:-}" ]; then
    echo "$MQBACKUP_DEBIAN_MIRROR"
    return
  fi
  local codename mirror
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | mirror_in_stanzas "$codename")
  [ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | mirror_in_lines "$codename")
  [ -n "$mirror" ] || fail "no Debian mirror found in /etc/apt/sources.list*; set MQBACKUP_DEBIAN_MIRROR"
  echo "$mirror"
}

mirror_in_stanzas() {
  awk -v suite="$1" '
    function flush() { if (binary && enabled && matching && uri != "" && !found) { print uri; found = 1 } reset() }
    function reset() { binary = matching = 0; enabled = 1; uri = "" }
    BEGIN { reset() }
    /^[ \t]*$/ { flush() }
    tolower($1) == "types:" { for (i = 2; i <= NF; i++) if ($i == "deb") { if (uri != "") flush(); binary = 1 } }
    tolower($1) == "enabled:" { enabled = ($2 != "no") }
    tolower($1) == "uris:" { uri = $2 }
    tolower($1) == "suites:" { for (i = 2; i <= NF; i++) if ($i == suite || $i == "stable" || $i == "testing") matching = 1 }
    END { flush() }'
}

mirror_in_lines() {
  awk -v suite="$1" '
    $1 == "deb" { sub(/\[[^]]*\]/, ""); if ($3 == suite || $3 == "stable" || $3 == "testing") { print $2; exit } }'
}
