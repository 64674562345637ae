# Clusters: starting, filling and deleting them.

# Only the clusters of this script: the engine may have others.
clusters_left() { find "$clusters" -name '*.kubeconfig' -printf '%f\n' | sed 's/\.kubeconfig$//'; }

cluster_up() {
  local name=$1 kubeconfig=$clusters/$1.kubeconfig
  export KUBECONFIG=$kubeconfig
  if [ -f "$kubeconfig" ]; then
    if timeout 60 kubectl get nodes >/dev/null 2>&1; then
      say "cluster $name is already there"
      return
    fi
    say "deleting what is left of cluster $name"
    cluster_down "$name"
  fi
  # Named before it is made, or a cluster that fails half-way would never be found.
  touch "$kubeconfig"
  say "starting cluster $name"
  if ! kind create cluster --name "$name" --image "$node_image" --config "$here/kind.yaml" \
    --wait 180s >"$logs/up-$name.log" 2>&1 9>&-; then
    kind export logs --name "$name" "$logs/up-$name" >/dev/null 2>&1 || true
    show_log "up-$name"
    fail "cluster $name does not start ($logs/up-$name.log, $logs/up-$name/)"
  fi
  logged nodes kubectl wait --for=condition=Ready nodes --all --timeout=180s
  logged dns kubectl -n kube-system rollout status deployment/coredns --timeout=120s
  logged storage kubectl -n local-path-storage rollout status deployment/local-path-provisioner \
    --timeout=120s
  say "cluster $name is ready"
}

cluster_load() {
  local name=$1
  shift
  [ -f "$clusters/$name.kubeconfig" ] || fail "no cluster $name; there are: $(clusters_left)"
  tools_use
  logged "load-$name" kind load docker-image --name "$name" "$@"
  say "loaded $* into $name"
}

cluster_env() {
  if engine_is_ours; then echo "export DOCKER_HOST=$DOCKER_HOST"; fi
  if [ -f "$cache/tools" ]; then echo "export PATH=$(cat "$cache/tools"):\$PATH"; fi
  echo "export KUBECONFIG=$clusters/$1.kubeconfig"
}

cluster_down() {
  local name=$1
  # The engine of a run that was killed may be gone, with the containers still in its store.
  [ -f "$clusters/$name.kubeconfig" ] || return 0
  engine_use
  engine_answers || engine_start
  tools_use
  say "deleting cluster $name"
  logged "down-$name" kind delete cluster --name "$name" --kubeconfig "$clusters/$name.kubeconfig"
  rm -rf "$clusters/$name.kubeconfig" "$clusters/$name.kubeconfig.lock"
}

cluster_down_all() {
  local name
  [ -n "$(clusters_left)" ] || return 0
  engine_use
  if engine_is_ours && ! engine_answers && ! (engine_start); then
    engine_wipe
    return
  fi
  for name in $(clusters_left); do cluster_down "$name"; done
}
