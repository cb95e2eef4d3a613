# Background processes. To be sourced.

# start_apart SIGNAL COMMAND...: starts it in the background, out of Ctrl-C's reach. It gets SIGNAL if this script dies.
start_apart() {
  set -m # a process group of its own
  setpriv --pdeathsig "$1" "${@:2}" </dev/null &
  set +m
}

# wait_for PID: returns its exit status, even if signals interrupt the wait.
wait_for() {
  local status
  while wait "$1" && status=0 || status=$?; kill -0 "$1" 2>/dev/null; do :; done
  return "$status"
}
