# The Docker engine: the running one, or our own if there is none.

readonly SPACE_MIN_GIB=12

# Chooses which engine every later command talks to.
engine_use() {
  [ -z "${DOCKER_HOST:-}" ] || return 0
  if [ -S "$engine/docker.sock" ] || ! timeout 20 docker version >/dev/null 2>&1; then
    export DOCKER_HOST=unix://$engine/docker.sock
  fi
}

engine_is_ours() { [ "${DOCKER_HOST:-}" = "unix://$engine/docker.sock" ]; }
engine_answers() { timeout 20 docker version >/dev/null 2>&1; }

engine_start() {
  has docker || fail "no docker; on Debian: sudo apt-get install docker.io"
  engine_use
  ! engine_answers || return 0
  engine_is_ours || fail "no Docker engine answers at $DOCKER_HOST"
  is_root || fail "no Docker engine answers and only root can start one; start Docker, or use sudo"
  has dockerd || fail "no Docker engine answers and there is no dockerd to start one"
  check_space
  host_remember
  host_prepare
  say "starting a Docker engine in $engine"
  run_dockerd && return
  show_log dockerd
  # What an engine that was killed left behind may keep the next one from starting.
  engine_wipe
  run_dockerd && return
  show_log dockerd
  fail "the Docker engine does not start ($logs/dockerd.log)"
}

# Addresses of its own, no default bridge, and a name server on this machine that does not answer:
# tests must not reach other networks. Fails when it ends, or does not answer in a
# minute.
run_dockerd() {
  local options=(--data-root "$engine/data" --exec-root "$engine/exec" -H "$DOCKER_HOST"
    --pidfile "$engine/dockerd.pid" --bridge none --dns 127.9.9.9
    --default-address-pool base=172.28.0.0/16,size=24)
  if ! may_limit_resources; then
    # A copy, since it is called as long as the engine runs and this folder may go before.
    cp "$here/lib/runc-limited" "$engine/"
    options+=(--add-runtime "limited=$engine/runc-limited" --default-runtime limited)
  fi
  if ! dockerd_pid >/dev/null; then
    stop_containerd
    rm -f "$engine/dockerd.pid" "$engine/docker.sock"
  fi
  # Its own session, or an interrupted test run would take the engine's clusters down half-way; and
  # not our lock, which would be held as long as it runs.
  setsid --wait dockerd "${options[@]}" >"$logs/dockerd.log" 2>&1 </dev/null 9>&- &
  local started=$! try
  for try in $(seq 240); do
    if engine_answers; then return; fi
    # It writes its number to a file, but on a busy machine only after seconds.
    kill -0 "$started" 2>/dev/null || break
    sleep 0.25
  done
  return 1
}

# On some machines root lacks CAP_SYS_RESOURCE, so that runc cannot grant it.
may_limit_resources() {
  local bounding
  bounding=$(awk '/^CapBnd/ { print $2 }' /proc/self/status)
  [ $(((16#$bounding >> 24) & 1)) -eq 1 ]
}

# The process of our engine, if it runs; another process may have its old number.
dockerd_pid() {
  local pid
  pid=$(cat "$engine/dockerd.pid" 2>/dev/null) || return 1
  grep -qaF "$engine/data" "/proc/$pid/cmdline" 2>/dev/null || return 1
  echo "$pid"
}

check_space() {
  local free
  free=$(($(df -Pk "$cache" | awk 'NR == 2 { print $4 }') / 1024 / 1024))
  [ "$free" -ge $SPACE_MIN_GIB ] ||
    fail "$free GiB are free in $cache and $SPACE_MIN_GIB are needed; set XDG_CACHE_HOME"
}

# Whether a container may do what a node does: be privileged, mount, have control groups.
engine_probe() {
  docker image inspect ironkv-probe >/dev/null 2>&1 ||
    tar -C / --dereference --transform 's#.*/#bin/#' -c "$(command -v busybox)" 2>/dev/null |
    docker import -c 'ENTRYPOINT ["/bin/busybox"]' - ironkv-probe >/dev/null ||
    fail "the Docker engine imports no image; no busybox? (sudo apt-get install busybox-static)"
  local script='mkdir -p /m && mount -t tmpfs none /m && grep -q cgroup /proc/mounts'
  logged probe timeout 60 docker run --rm --privileged --network none ironkv-probe sh -c "$script"
}

engine_stop() {
  unset DOCKER_HOST
  engine_use
  engine_is_ours || return 0
  local pid
  if engine_answers; then docker network rm kind >/dev/null 2>&1 || true; fi
  if pid=$(dockerd_pid); then
    say "stopping the Docker engine"
    kill "$pid"
    wait_for_end "$pid"
  fi
  stop_containerd
  remove_folder "$engine/exec"
  rm -rf "$engine/docker.sock" "$engine/dockerd.pid"
  host_restore
}

# A child of the engine that a killed engine leaves behind, or the number of one that is gone: the
# next engine would wait for it forever.
stop_containerd() {
  local file=$engine/exec/containerd/containerd.pid pid
  pid=$(cat "$file" 2>/dev/null) || return 0
  if grep -qaF "$engine/exec" "/proc/$pid/cmdline" 2>/dev/null; then
    kill "$pid"
    wait_for_end "$pid"
  fi
  rm -f "$file"
}

# For an engine that does not start any more, for example on a full disk: ends its processes.
engine_wipe() {
  say "ending all containers without the engine, which does not start"
  local id pid bridge
  for pid in $(grep -laF "$engine/exec" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
    kill -KILL "$pid" 2>/dev/null || true
  done
  for id in $(ls "$engine/data/containers"); do
    for pid in $(find /sys/fs/cgroup -path "*$id*" -name cgroup.procs -exec cat {} + | sort -u); do
      kill -KILL "$pid" 2>/dev/null || true
    done
    # A group is busy until the last of its processes is collected.
    sleep 0.5
    find /sys/fs/cgroup -depth -type d -path "*docker/$id*" -exec rmdir {} \; 2>/dev/null || true
  done
  for bridge in $(ip -brief -4 address | awk '$1 ~ /^br-/ && $3 ~ /^172\.28\./ { print $1 }'); do
    ip link delete "$bridge"
  done
  remove_folder "$engine/data"
  rm -f "$clusters"/*.kubeconfig
}

wait_for_end() {
  local try
  for try in $(seq 120); do
    kill -0 "$1" 2>/dev/null || return 0
    # A zombie process is not running.
    ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || return 0
    [ "$try" -ne 80 ] || kill -KILL "$1"
    sleep 0.25
  done
  fail "process $1 does not end"
}
