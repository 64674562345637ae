# The image that every node of a cluster runs: pulled where that works, else built here.

# The default of the version of kind in programs/go.mod.
readonly OFFICIAL_DIGEST=a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5
readonly OFFICIAL=kindest/node:v1.37.0@sha256:$OFFICIAL_DIGEST

# Sets $node_image; makes sure that the engine has it, and that PATH has kind, kubectl and helm.
node_image_get() {
  if node_image_pulled; then
    node_image=$OFFICIAL
    tools_get
    return
  fi
  programs_folder
  tools_remember
  local key archive
  # Their names say what is in them, whether they are there yet or not.
  key=$(key_of "$(basename "$programs")" "$(basename "$(root_archive)")" \
    "$here"/{simplenet.yaml,lib/control_plane.sh,lib/node_image.sh})
  archive=$cache/node-$key.tar node_image=ironkv-node:$key
  if docker image inspect "$node_image" >/dev/null 2>&1; then return; fi
  if [ ! -f "$archive" ]; then
    build_node_image "$archive"
  else
    say "loading the node image"
    logged load docker load -i "$archive"
  fi
  keep "$programs"
  keep "$archive"
}

# Asked once a day at most: without a registry the answer can take the whole 20 seconds.
node_image_pulled() {
  ! docker image inspect $OFFICIAL >/dev/null 2>&1 || return 0
  [ -z "$(find "$cache/no-registry" -mtime -1 2>/dev/null)" ] || return 1
  if timeout 20 docker manifest inspect $OFFICIAL >/dev/null 2>&1; then
    say "pulling the node image"
    if docker pull --quiet $OFFICIAL >"$logs/pull.log" 2>&1; then return 0; fi
    show_log pull
  fi
  say "the node image cannot be pulled, so it is built from packages and modules"
  touch "$cache/no-registry"
  return 1
}

# The Debian part and the compiler wait for different things, so they run side by side.
build_node_image() {
  root_get &
  local root_job=$!
  programs_get
  wait $root_job || fail "no root file system for the nodes"
  say "putting the node image together"
  work=$cache/work
  remove_folder "$work"
  mkdir -p "$work/root"
  tar -C "$work/root" -xf "$(root_archive)"
  logged images save_images "$work/images.tar" "$work/root"
  logged node fill_root "$work/root"
  logged preload preload_images "$work/root" "$work/images.tar"
  logged node-import import_node "$work/root"
  if engine_is_ours; then remove_older_images; fi
  docker save -o "$1.new" "$node_image"
  mv "$1.new" "$1"
  remove_folder "$work"
}

# One that a cluster still uses stays.
remove_older_images() {
  local image
  for image in $(docker images --format '{{.Repository}}:{{.Tag}}' ironkv-node); do
    [ "$image" = "$node_image" ] || docker image rm "$image" >/dev/null 2>&1 || true
  done
}

# What the Dockerfile of kind's base image does, and then its `build node-image`.
fill_root() {
  local root=$1 source
  source=$(module_source sigs.k8s.io/kind)
  cp -r --no-preserve=mode "$source/images/base/files/." "$root/"
  chmod 755 "$root"/usr/local/bin/* "$root"/kind/bin/*
  ln -sf /usr/bin/{containerd,ctr,containerd-shim-runc-v2} "$root/usr/local/bin/"
  mkdir -p "$root"/{opt/cni,etc/kubernetes/manifests,kind/manifests,etc/cni/net.d}
  ln -sfn /usr/lib/cni "$root/opt/cni/bin"
  rm -f "$root"/etc/cni/net.d/*
  only_our_units "$root"
  configure_containerd "$root/etc/containerd"
  cp "$programs"/{kubelet,kubeadm,kubectl} "$root/usr/bin/"
  printf %s "$KUBERNETES" >"$root/kind/version"
  storage_manifest >"$root/kind/manifests/default-storage.yaml"
  cp "$here/simplenet.yaml" "$root/kind/manifests/default-cni.yaml"
}

# A node is no whole machine: devices, consoles and temporary files are its host's business.
only_our_units() {
  local units=$1/lib/systemd/system
  rm -f "$units/sysinit.target.wants/systemd-tmpfiles-setup.service" \
    "$units"/{multi-user,local-fs,basic}.target.wants/* \
    "$units"/sockets.target.wants/*{udev,initctl}* "$1"/etc/systemd/system/*.wants/*
  echo ReadKMsg=no >>"$1/etc/systemd/journald.conf"
  chroot "$1" systemctl enable kubelet containerd undo-mount-hacks
  chroot "$1" systemctl mask systemd-binfmt.service
}

configure_containerd() {
  local pause
  pause=$("$programs/kubeadm" config images list --kubernetes-version "$KUBERNETES" | grep /pause:)
  # Lowering a score for the killer of processes takes CAP_SYS_RESOURCE.
  sed -i -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' \
    -e "s#sandbox_image = .*#sandbox_image = \"$pause\"#" \
    -e '/^\[proxy_plugins/,/fuse-overlayfs.sock/d' "$1/config.toml"
  ctr oci spec |
    jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}]
        | del(.process.rlimits)' >"$1/cri-base.json"
}

# A containerd of the moment fills the store that the one inside of the node will find.
preload_images() {
  local socket=$work/preload.sock pid try
  setpriv --pdeathsig KILL containerd --config /dev/null --address "$socket" \
    --root "$1/var/lib/containerd" --state "$work/preload" 9>&- &
  pid=$!
  for try in $(seq 100); do
    ctr -a "$socket" version >/dev/null 2>&1 && break
    sleep 0.1
  done
  local status=0
  ctr -a "$socket" -n k8s.io images import --all-platforms --no-unpack --digests "$2" || status=$?
  kill $pid
  wait $pid || true
  return $status
}

import_node() {
  tar -C "$1" --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* -c . |
    docker import -c 'ENV container=docker' -c "$PATH_IN_IMAGE" \
      -c 'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]' - "$node_image"
}
