# The programs of this machine that the rest calls.

# Debian packages, each with a program by which it is known to be there.
declare -Ar PACKAGES=(
  [docker.io]=dockerd [containerd]=containerd [runc]=runc [debootstrap]=debootstrap [jq]=jq
  [busybox-static]=busybox [iptables]=iptables [iproute2]=ip [build-essential]=gcc
  [redis-tools]=redis-cli [ca-certificates]=update-ca-certificates
)

install_packages() {
  local package missing=()
  PATH=$PATH:/usr/sbin:/sbin
  for package in "${!PACKAGES[@]}"; do
    has "${PACKAGES[$package]}" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! is_root || ! has apt-get; then
    say "not root, or no apt-get, so nothing is installed; missing: ${missing[*]}"
    return 0
  fi
  say "installing ${missing[*]}"
  install_with_apt "${missing[@]}"
}

# One package that the distribution does not know would make apt refuse all of them.
install_with_apt() {
  local package known=()
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -qq)
  logged apt-update "${apt[@]}" update
  for package in "$@"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
  done
  DEBIAN_FRONTEND=noninteractive logged apt-install \
    "${apt[@]}" install -y --no-install-recommends "${known[@]}"
}
