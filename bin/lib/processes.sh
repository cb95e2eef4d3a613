# Background processes. To be sourced.

# start_apart SIGNAL COMMAND...: in the background, out of Ctrl-C's reach. Gets SIGNAL should this script be killed.
start_apart() {
  set -m # a process group of its own
  setpriv --pdeathsig "$1" "${@:2}" </dev/null &
  set +m
}

# wait_for PID: returns its exit status, however often a signal breaks into the waiting.
wait_for() {
  local status
  while wait "$1" && status=0 || status=$?; kill -0 "$1" 2>/dev/null; do :; done
  return "$status"
}
