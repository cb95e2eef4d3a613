# TCP ports of 127.0.0.1. To be sourced.

port_is_taken() {
  (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Prints a free port below those that the kernel gives to outgoing connections.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && port_is_taken "$port"; do :; done
  echo "$port"
}
