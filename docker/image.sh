#!/usr/bin/env bash
# The node's image, with or without an image registry: what `make image` does. The last line printed is its tag.
#
#   docker/image.sh                 build keelhaul-node:<digest of the content>, unless the engine has it
#   BASE=python:3.13-slim docker/image.sh      on a base of your own choice
#
# The base, in this order: $BASE; a keelhaul-base image made before; the official image, if a registry answers; one
# made here from Debian's packages (root, about a minute, once).
#
# Knows: bases, and how to fill a build context. Does not know: what goes in (harness/worlds/image.py says that, so that
# the harness computes the same tag), and nothing of runs.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=${PYTHON:-python3}
OFFICIAL=python:3.11-slim-bookworm
SUITE=bookworm
OWN=keelhaul-base:$SUITE
REGISTRY_PATIENCE=20 # seconds until a registry must have answered
PULL_PATIENCE=600    # seconds for the layers, once it has

fail() {
  echo "image: $*" >&2
  exit 70
}

say() { echo "image: $*"; }

facts() { "$PYTHON" -I "$ROOT/harness/worlds/image.py" "$1"; }

has() { docker image inspect "$1" >/dev/null 2>&1; }

# A registry that answers may still be slow: only the first word is bounded tightly.
pull() {
  local out=$SCRATCH/pull pid
  timeout "$PULL_PATIENCE" docker pull "$1" >"$out" 2>&1 &
  pid=$!
  for _ in $(seq $((REGISTRY_PATIENCE * 5))); do
    if ! kill -0 "$pid" 2>/dev/null || grep -qi 'pulling from' "$out"; then
      wait "$pid"
      return
    fi
    sleep 0.2
  done
  kill "$pid" 2>/dev/null || true
  return 1
}

# Where this host gets Debian's packages; another distribution's mirror does not carry them.
mirror() {
  local found=
  if command -v apt-get >/dev/null; then
    # shellcheck disable=SC2016  # apt expands these, not the shell
    found=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
      sed -n 's/^Debian|Debian|//p' | grep -E '^https?:' | head -n 1) || true
  fi
  echo "${found:-http://deb.debian.org/debian}"
}

make_base() {
  local root=$SCRATCH/root log=$SCRATCH/debootstrap.log
  [[ $(id -u) == 0 ]] || fail "no registry answers, and making a base needs root; or name one: BASE=... docker/image.sh"
  if ! command -v debootstrap >/dev/null || [[ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
    command -v apt-get >/dev/null || fail "no registry answers, and there is no debootstrap: name a base with BASE=..."
    say "installing debootstrap"
    export DEBIAN_FRONTEND=noninteractive
    local get=(apt-get -qq -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0)
    "${get[@]}" install -y --no-install-recommends debootstrap debian-archive-keyring >"$log" 2>&1 || {
      "${get[@]}" update >/dev/null || fail "apt-get update failed"
      "${get[@]}" install -y --no-install-recommends debootstrap debian-archive-keyring >"$log" ||
        fail "cannot install debootstrap: $(tail -n 1 "$log")"
    }
  fi
  say "no registry answers: making $OWN from Debian's packages (about a minute, once)"
  # umask: a strict one would leave directories that the node's user cannot enter.
  (umask 022 && debootstrap --variant=minbase --include=python3,iptables,iproute2,ca-certificates \
    "$SUITE" "$root" "$(mirror)" >"$log" 2>&1) || fail "debootstrap failed: $(tail -n 1 "$log")"
  # Paths are left out of the archive rather than deleted: faster, and the same half of the size is gone.
  tar -C "$root" --one-file-system --numeric-owner -c \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
    --exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*' --exclude='./usr/share/bash-completion/*' \
    --exclude='./var/cache/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
    --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./etc/resolv.conf' --exclude='./etc/hostname' \
    . | docker import --change 'LABEL keelhaul=base' - "$OWN" >/dev/null || fail "docker import failed"
}

# Sets `base`: a name that the engine has, or can get.
choose_base() {
  base=${BASE:-}
  if [[ -n $base ]]; then
    has "$base" || pull "$base" || fail "no base $base: $(tail -n 1 "$SCRATCH/pull")"
  elif has "$OWN"; then
    base=$OWN
  elif has "$OFFICIAL" || pull "$OFFICIAL"; then
    base=$OFFICIAL
  else
    make_base
    base=$OWN
  fi
}

# Unpack the wheels for the image's Python, which need not be the host's. Needs no pip in the image, and no network.
fetch_site() {
  local version machine pip=() wheels=()
  read -r version machine < <(docker run --rm --network none --entrypoint python3 "$base" -c \
    'import platform as p; print(".".join(p.python_version_tuple()[:2]), p.machine())') || fail "$base has no python3"
  for python in "$ROOT/.venv/bin/python" "$PYTHON"; do
    if [[ -x $(command -v "$python") ]] && "$python" -m pip --version >/dev/null 2>&1; then
      pip=("$python" -m pip --quiet --disable-pip-version-check --no-input)
      break
    fi
  done
  ((${#pip[@]})) || fail "no pip on the host: apt-get install python3-pip, or make venv"
  pip+=(install --no-deps --only-binary=:all: --no-compile --implementation cp --python-version "$version")
  pip+=(--platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine")
  mapfile -t wheels < <(facts requirements)
  "${pip[@]}" --target "$SCRATCH/context/site" "${wheels[0]}" 2>"$SCRATCH/pip.log" ||
    fail "no wheel of ${wheels[0]} for Python $version: $(tail -n 1 "$SCRATCH/pip.log")"
  for optional in "${wheels[@]:1}"; do
    "${pip[@]}" --target "$SCRATCH/context/site" "$optional" 2>/dev/null ||
      say "no wheel of $optional for Python $version: the node runs without"
  done
}

# Copies the sources and sets `name` to the tag of exactly that copy: somebody may be editing meanwhile.
copy_sources() {
  local before
  for _ in 1 2 3 4 5; do
    before=$(facts name)
    rm -rf "$SCRATCH/context/node"
    tar -C "$ROOT" --exclude=__pycache__ -c node | tar -x -C "$SCRATCH/context"
    cp "$ROOT/docker/Dockerfile" "$SCRATCH/Dockerfile"
    name=$(facts name)
    [[ $name != "$before" ]] || return 0
  done
  fail "the sources change faster than they can be copied"
}

build() {
  local log=$SCRATCH/build.log
  choose_base
  mkdir -p "$SCRATCH/context/site"
  fetch_site
  copy_sources
  say "building $name on $base"
  chmod -R a+rX "$SCRATCH/context"
  # A base that only this engine has is invisible to a builder in a container: use the engine's own. Clients without
  # buildx have only the old builder, and complain about it unless told to use it.
  export BUILDX_BUILDER=default
  docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
  # Host network: an engine without NAT (docker/engine.sh) gives a build step no other way to Debian's packages.
  docker build --network host --build-arg "BASE=$base" --tag "$name" -f "$SCRATCH/Dockerfile" \
    "$SCRATCH/context" >"$log" 2>&1 || fail "docker build failed: $(tail -n 3 "$log" | tr '\n' ' ')"
}

# Is the image there, and on the base that was asked for?
current() {
  local on
  on=$(docker image inspect --format '{{index .Config.Labels "keelhaul.base"}}' "$1" 2>/dev/null) || return 1
  [[ -z ${BASE:-} || $on == "$BASE" ]]
}

main() {
  command -v docker >/dev/null || fail "no docker client: make engine"
  name=$(facts name) || fail "cannot compute the tag with $PYTHON (3.11 or newer?)"
  if ! current "$name"; then
    timeout 10 docker version >/dev/null 2>&1 || fail "no engine answers: make engine"
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/keelhaul-image.XXXXXX")
    trap 'rm -rf "$SCRATCH"' EXIT
    build
  fi
  docker tag "$name" "${name%:*}:latest"
  echo "$name"
}

main "$@"
