# Background processes. To be sourced.

# start_apart COMMAND...: in the background, out of Ctrl-C's reach, and gone when this script is gone, even by kill -9.
start_apart() {
  set -m # a process group of its own
  setpriv --pdeathsig TERM "$@" </dev/null &
  set +m
}

# wait_for PID: returns its exit status, however often a signal breaks into the waiting.
wait_for() {
  local status
  while wait "$1" && status=0 || status=$?; kill -0 "$1" 2>/dev/null; do :; done
  return "$status"
}
