# The images that run in every cluster, from the compiled programs.

readonly PATH_IN_IMAGE='ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

# $1: an archive to write all of them into. $2: the root file system of a node.
save_images() {
  local image program name images=()
  # kubeadm knows the names of the images that it requests.
  for image in $("$programs/kubeadm" config images list --kubernetes-version "$KUBERNETES"); do
    name=${image%:*} program=${name##*/}
    [ "$program" != pause ] || compile_pause "${image##*:}"
    image_root "$program"
    [ "$program" != kube-proxy ] || add_iptables "$2"
    import_image "$image" "/usr/local/bin/$program"
  done
  image_root local-path-provisioner
  import_image "$(storage_constant storageProvisionerImage)" /usr/local/bin/local-path-provisioner
  shell_root
  import_image "$(storage_constant storageHelperImage)"
  docker tag "$(storage_constant storageHelperImage)" localhost/simplenet:1
  images+=(localhost/simplenet:1)
  docker save -o "$1" "${images[@]}"
  # Only nodes run them, and in another store these names may mean other images.
  docker image rm "${images[@]}"
}

# The folder that becomes the next image, with one program.
image_root() {
  rm -rf "$work/image"
  mkdir -p "$work/image"/{usr/local/bin,tmp,etc}
  cp "$programs/$1" "$work/image/usr/local/bin/"
}

shell_root() {
  rm -rf "$work/image"
  mkdir -p "$work/image"/{bin,tmp,etc}
  cp "$(command -v busybox)" "$work/image/bin/busybox"
  local applet
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$work/image/bin/$applet"
  done
}

# kube-proxy in its iptables mode calls these programs, which are one under several names, and which
# load what they need for a rule.
add_iptables() {
  local file name program=/usr/sbin/xtables-nft-multi extensions
  extensions=$(chroot "$1" sh -c 'ls /usr/lib/*/xtables/*.so')
  for file in $program $extensions $(chroot "$1" ldd $program $extensions | grep -o '[[:space:]]/[^ :]*'); do
    mkdir -p "$work/image$(dirname "$file")"
    cp -L "$1$file" "$work/image$file"
  done
  for name in ip{,6}tables{,-save,-restore}; do
    ln -s xtables-nft-multi "$work/image/usr/sbin/$name"
  done
}

# $1: name of the image. $2: its entry point, if it has one.
import_image() {
  tar -C "$work/image" --owner=0 --group=0 -c . |
    docker import -c "$PATH_IN_IMAGE" ${2:+-c "ENTRYPOINT [\"$2\"]"} - "$1" >/dev/null
  images+=("$1")
}

# Not Go: the process that holds the name spaces of a pod.
compile_pause() {
  gcc -Os -static "-DVERSION=$1" -o "$programs/pause" \
    "$(module_source k8s.io/kubernetes)/build/pause/linux/pause.c"
}

storage_file() { echo "$(module_source sigs.k8s.io/kind)/pkg/build/nodeimage/const_storage.go"; }
storage_constant() { grep "const $1 = \"" "$(storage_file)" | cut -d'"' -f2; }

# kind's manifest of its default storage class, a Go string, with the images it puts in filled in.
storage_manifest() {
  local provisioner helper
  provisioner=$(storage_constant storageProvisionerImage)
  helper=$(storage_constant storageHelperImage)
  awk '/^const defaultStorageManifest = `/ { inside = 1; next }
       inside && /^`$/ { exit }
       inside' "$(storage_file)" |
    sed -e "s#\` + storageProvisionerImage + \`#$provisioner#" \
      -e "s#\` + storageHelperImage + \`#$helper#"
}
