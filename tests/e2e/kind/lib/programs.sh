# The programs of a cluster, compiled from Go modules into $programs.

readonly MODULE=$here/programs
readonly KUBERNETES=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' "$MODULE/go.mod")

programs_folder() {
  has go || fail "no go: 1.24 or newer compiles Kubernetes here; see https://go.dev/dl"
  programs=$cache/programs-$(key_of "$(go env GOVERSION GOARCH)" "$here/lib/programs.sh" \
    "$MODULE"/{go.mod,go.sum,tools.go,coredns/main.go,provisioner/{go.mod,go.sum,tools.go}})
}

programs_get() {
  programs_folder
  if [ ! -f "$programs/complete" ]; then
    say "compiling Kubernetes and what goes with it: about 6 minutes on two processors"
    mkdir -p "$programs"
    logged programs compile_programs
    touch "$programs/complete"
  fi
  keep "$programs"
}

# Go keeps what it compiled, so one that was interrupted goes on where it was.
compile_programs() {
  export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -trimpath -mod=readonly"
  local version=k8s.io/component-base/version program
  local flags="-s -w -X $version.gitVersion=$KUBERNETES -X $version.gitTreeState=clean"
  flags+=" -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES")"
  local kubernetes=()
  for program in apiserver controller-manager scheduler proxy; do
    kubernetes+=("k8s.io/kubernetes/cmd/kube-$program")
  done
  for program in kubelet kubeadm kubectl; do
    kubernetes+=("k8s.io/kubernetes/cmd/$program")
  done
  cd "$MODULE"
  go build -ldflags "$flags" -o "$programs/" "${kubernetes[@]}" sigs.k8s.io/kind ./coredns
  go build -ldflags "-s -w" -o "$programs/etcd" go.etcd.io/etcd/server/v3
  go build -ldflags "-s -w" -o "$programs/helm" helm.sh/helm/v3/cmd/helm
  cd provisioner
  go build -ldflags "-s -w" -o "$programs/" github.com/rancher/local-path-provisioner
}

# What only starts clusters, for machines that can pull the node image.
tools_get() {
  rm -f "$cache/tools"
  if ! tools_are_there; then
    programs_get
    tools_remember
  fi
}

tools_are_there() {
  local tool
  for tool in kind kubectl helm; do has "$tool" || return 1; done
}

# Commands other than `up` find the tools by this, without Go.
tools_remember() {
  echo "$programs" >"$cache/tools"
  tools_use
}

tools_use() {
  if [ -f "$cache/tools" ]; then export PATH=$(cat "$cache/tools"):$PATH; fi
}

# The folder of a module's source.
module_source() { (cd "$MODULE" && go list -m -f '{{.Dir}}' "$1"); }
