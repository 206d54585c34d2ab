#!/usr/bin/env bash
# A Docker engine, where there is none: what `make engine` does.
#
#   docker/engine.sh         an engine answers already -> say so; else install what is missing, start one, wait for it
#   docker/engine.sh stop    stop the engine that this script started, and no other
#   docker/engine.sh answers    say by the exit code alone whether one answers
#
# Knows: Debian and Ubuntu packages, and how to run dockerd without an init system. With systemd, the package's own
# service is used instead. Does not know: images, networks, runs.
#
# --iptables=false, on purpose. A run needs the harness to reach containers, and containers of one bridge to reach each
# other; both are plain bridging and need no rule, no NAT and no forwarding. Without the engine's rules the host's
# firewall stays as it was (the engine would set FORWARD to DROP for everybody, and leave it there), and the host's
# connection tracking keeps out of the traffic that we cut. Cuts are made inside the containers' own namespaces.
# The exception: a host whose FORWARD chain drops by default would also drop bridged frames where
# bridge-nf-call-iptables is on; there the engine must add its own accepting rules, and gets --iptables=true.
set -euo pipefail

STATE=${KEELHAUL_ENGINE_STATE:-/var/lib/keelhaul-engine} # images and containers: kept when the engine stops
RUNTIME=/run/keelhaul-engine                              # short: containerd's socket lives below, 108 bytes at most
PIDFILE=$RUNTIME/dockerd.pid
LOG=$STATE/dockerd.log
SOCKET=unix:///var/run/docker.sock
BRIDGE=198.19.255.1/24 # docker0, from the range for tests of network devices: collides with nobody's network
PATIENCE=60            # seconds until a started engine must answer

fail() {
  echo "engine: $*" >&2
  exit 70
}

# Does an engine answer at the address $1? The client may be missing while a socket is there (a CI job's mount).
answers() {
  if command -v docker >/dev/null; then
    timeout 10 docker --host "$1" version >/dev/null 2>&1
  else
    [[ $1 == unix://* ]] && timeout 10 python3 - "${1#unix://}" 2>/dev/null <<'PING'
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
link.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
sys.exit(b" 200 " not in link.recv(64))
PING
  fi
}

# The pid of the engine started by this script, if it lives; a recycled pid is not mistaken for it.
ours() {
  local pid
  pid=$(cat "$PIDFILE" 2>/dev/null) || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "--pidfile $PIDFILE" || return 1
  echo "$pid"
}

stop() {
  local pid
  pid=$(ours) || { echo "engine: none started by this script is running"; return 0; }
  kill -TERM "$pid"
  for _ in $(seq 150); do # containers get 10 s each to end, in parallel
    ours >/dev/null || { echo "engine: stopped (images are kept in $STATE)"; return 0; }
    sleep 0.2
  done
  fail "dockerd (pid $pid) does not stop; see $LOG"
}

install() {
  local wanted=() policy=/usr/sbin/policy-rc.d
  command -v dockerd >/dev/null || wanted+=(docker.io)
  command -v iptables >/dev/null || wanted+=(iptables)
  ((${#wanted[@]})) || return 0
  command -v apt-get >/dev/null || fail "no engine, and no apt-get to install one: install Docker yourself"
  echo "engine: installing ${wanted[*]}"
  # Without systemd the package would start an engine of its own through its init script: forbid it meanwhile.
  if [[ ! -d /run/systemd/system && ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  local get=(apt-get -qq -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0)
  "${get[@]}" install --no-install-recommends -y "${wanted[@]}" >/dev/null 2>&1 || {
    # Package lists are missing or stale.
    "${get[@]}" update >/dev/null || fail "apt-get update failed"
    "${get[@]}" install --no-install-recommends -y "${wanted[@]}" >/dev/null || fail "cannot install ${wanted[*]}"
  }
}

# overlay2 needs a file system below that may be an upper layer; vfs works everywhere, and copies every layer.
storage_driver() {
  local probe
  probe=$(mktemp -d "$STATE/probe.XXXXXX")
  mkdir "$probe"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" \
    "$probe/merged" 2>/dev/null; then
    umount "$probe/merged"
    echo overlay2
  else
    echo vfs
  fi
  rm -rf "$probe"
}

start() {
  local driver rules=false pid
  mkdir -p "$STATE" "$RUNTIME"
  ours >/dev/null || rm -f "$PIDFILE" # after a crash its pid may be somebody else's by now: dockerd would refuse
  driver=$(storage_driver)
  if iptables -S FORWARD 2>/dev/null | grep -q '^-P FORWARD DROP'; then rules=true; fi
  [[ $driver != vfs ]] || echo "engine: overlay does not work here: using vfs, slower and larger"
  # A session of its own and no terminal: it outlives the shell that called us.
  setsid nohup dockerd --data-root "$STATE/data" --exec-root "$RUNTIME" --pidfile "$PIDFILE" -H "$SOCKET" \
    --storage-driver "$driver" --iptables="$rules" --ip6tables=false --ip-forward="$rules" --bip "$BRIDGE" \
    </dev/null >>"$LOG" 2>&1 &
  pid=$!
  for _ in $(seq $((PATIENCE * 5))); do
    if answers "$SOCKET"; then
      echo "engine: started ($driver, log in $LOG); stop it with: docker/engine.sh stop"
      return 0
    fi
    kill -0 "$pid" 2>/dev/null || ours >/dev/null || fail "dockerd ended: $(tail -n 1 "$LOG")"
    sleep 0.2
  done
  kill -TERM "$(ours || echo "$pid")" 2>/dev/null || true
  fail "dockerd does not answer after $PATIENCE s; see $LOG"
}

main() {
  case ${1:-start} in
    stop) stop ;;
    answers) answers "${DOCKER_HOST:-$SOCKET}" ;;
    start)
      local host=${DOCKER_HOST:-$SOCKET}
      if answers "$host"; then
        echo "engine: answers at $host$(ours >/dev/null && echo '; stop it with: docker/engine.sh stop')"
        return 0
      fi
      [[ -z ${DOCKER_HOST:-} || $DOCKER_HOST == "$SOCKET" ]] ||
        fail "nothing answers at DOCKER_HOST=$DOCKER_HOST; unset it to start an engine here"
      [[ $(uname -s) == Linux ]] || fail "an engine is started on Linux only; here, start Docker Desktop"
      [[ $(id -u) == 0 ]] || fail "not root, and no engine answers at $host: start one, or run this as root"
      install
      answers "$SOCKET" || start # with systemd, installing has started it
      ;;
    *)
      echo "usage: docker/engine.sh [start|stop|answers]" >&2
      exit 64
      ;;
  esac
}

main "$@"
