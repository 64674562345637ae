# The settings of the machine that a Docker engine changes, and how they are restored.

readonly INSTANCES=/proc/sys/fs/inotify/max_user_instances
# A node uses about 17 instances; the default of 128 ends at seven nodes on the whole machine.
readonly INSTANCES_MIN=512
readonly FORWARD=/proc/sys/net/ipv4/ip_forward

# Stores the state of the machine once: a second start after a crash must not store the state that
# the crash left.
host_remember() {
  [ ! -f "$engine/host" ] || return 0
  {
    echo "forward=$(cat $FORWARD)"
    echo "instances=$(cat $INSTANCES)"
    echo "policy4=$(policy iptables)"
    echo "policy6=$(policy ip6tables)"
    echo "chains=$(docker_chains iptables filter | wc -l)"
  } >"$engine/host.new"
  mv "$engine/host.new" "$engine/host"
}

host_prepare() {
  if [ "$(cat $INSTANCES)" -lt $INSTANCES_MIN ] && ! echo $INSTANCES_MIN 2>/dev/null >$INSTANCES
  then
    say "$INSTANCES is $(cat $INSTANCES) and cannot be raised to $INSTANCES_MIN; with more than" \
      "six nodes on this machine some will not start"
  fi
}

host_restore() {
  [ -f "$engine/host" ] || return 0
  local forward instances policy4 policy6 chains
  # shellcheck source=/dev/null
  source "$engine/host"
  # Chains that existed before belong to another engine.
  if [ "$chains" -eq 0 ]; then
    remove_chains iptables
    remove_chains ip6tables
  fi
  [ -z "$policy4" ] || iptables -w -P FORWARD "$policy4"
  [ -z "$policy6" ] || ip6tables -w -P FORWARD "$policy6"
  echo "$forward" 2>/dev/null >$FORWARD || say "$FORWARD could not be set back to $forward"
  echo "$instances" 2>/dev/null >$INSTANCES ||
    say "$INSTANCES could not be set back to $instances"
  # Empty ones only: rmdir does not touch a group that is in use.
  rmdir /sys/fs/cgroup/{,*/}docker 2>/dev/null || true
  rm "$engine/host"
}

policy() { "$1" -w -S FORWARD 2>/dev/null | awk '$1 == "-P" { print $3 }' || true; }
docker_chains() { "$1" -w -t "$2" -S 2>/dev/null | awk '/^-N DOCKER/ { print $2 }' || true; }

remove_chains() {
  local table rule chain
  # All rules of an engine name a chain of its own, a bridge of its networks, or our addresses.
  local ours='DOCKER| br-[0-9a-f]{12}| 172\.28\.'
  for table in filter nat; do
    # Rules of the built-in chains first: a chain that something jumps to cannot be deleted.
    "$1" -w -t "$table" -S 2>/dev/null | grep -E "^-A [^ ]+ .*($ours)" |
      sed 's/^-A/-D/' | while read -r rule; do
      # shellcheck disable=SC2086
      "$1" -w -t "$table" $rule 2>/dev/null || true
    done || true
    for chain in $(docker_chains "$1" "$table"); do "$1" -w -t "$table" -F "$chain"; done
    for chain in $(docker_chains "$1" "$table"); do "$1" -w -t "$table" -X "$chain"; done
  done
}
