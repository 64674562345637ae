# The Debian part of a node: systemd, containerd, the network's plugins.

# Bookworm, since its systemd and containerd still work on machines with version 1 of the control
# groups; later ones do not.
readonly RELEASE=bookworm
readonly ROOT_PACKAGES=(systemd systemd-sysv dbus util-linux mount procps hostname kmod jq
  containerd runc containernetworking-plugins libseccomp2 ca-certificates netbase
  iproute2 iptables nftables conntrack ethtool socat iputils-ping)

root_archive() { echo "$cache/root-$(key_of "$here/lib/root.sh").tar"; }

root_get() {
  local archive
  archive=$(root_archive)
  [ -f "$archive" ] || logged root make_root "$archive"
  keep "$archive"
}

make_root() {
  is_root || fail "only root can make a root file system"
  local root=$cache/work-root packages
  packages=$(IFS=, && echo "${ROOT_PACKAGES[*]}")
  remove_folder "$root"
  debootstrap --variant=minbase --include="$packages" $RELEASE "$root"
  rm -rf "$root"/var/cache/apt/archives/* "$root"/var/lib/apt/lists/* \
    "$root"/usr/share/{doc,man,locale,info}/*
  tar -C "$root" -cf "$1.new" .
  mv "$1.new" "$1"
  remove_folder "$root"
}
