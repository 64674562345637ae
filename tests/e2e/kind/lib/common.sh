# Folders, messages, logs and keys of the cache.

set_folders() {
  cache=${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/ironkv/kind
  cache_is_temporary=
  if ! mkdir -p "$cache" 2>/dev/null || [ ! -w "$cache" ]; then
    cache_is_temporary=yes
    # The same folder for every command of this user, or `down` would not find what `up` made.
    cache=${TMPDIR:-/tmp}/ironkv-kind-$(id -u)
    mkdir -p -m 700 "$cache"
    [ -O "$cache" ] || fail "$cache belongs to another user; set XDG_CACHE_HOME"
  fi
  engine=$cache/engine logs=$cache/logs clusters=$cache/clusters
  mkdir -p "$engine" "$logs" "$clusters"
}

# Messages for users go to standard error: standard output is for `env`.
say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# Runs a command with its output in logs/NAME.log, and shows the end of that when it fails. In the
# background, as bash does not end a function at its first failing command inside of a condition.
logged() {
  local name=$1
  shift
  "$@" >"$logs/$name.log" 2>&1 </dev/null &
  if ! wait $!; then
    show_log "$name"
    fail "$name: $* (all of it is in $logs/$name.log)"
  fi
}

show_log() { tail -n 30 "$logs/$1.log" | sed "s/^/  $1| /" >&2; }

lock() {
  exec 9>"$cache/lock"
  flock --nonblock 9 && return
  say "waiting for another run that uses $cache"
  flock 9
}

# One short key for the contents of files and for words; the inputs of something that is kept.
key_of() {
  local input
  for input in "$@"; do
    if [ -f "$input" ]; then sha256sum <"$input"; else echo "$input"; fi
  done | sha256sum | cut -c1-12
}

# Also what a killed run left mounted there.
remove_folder() {
  awk -v "folder=$1/" 'index($2 "/", folder) == 1 { print $2 }' /proc/mounts | sort -r |
    xargs --no-run-if-empty umount
  rm -rf "$1"
}

# Marks a kept file or folder as in use and drops older ones of its kind after a week.
keep() {
  touch "$1"
  find "$cache" -maxdepth 1 -name "$(basename "$1" | sed 's/-.*//')-*" -mtime +7 \
    -exec rm -rf {} +
}

set_folders
