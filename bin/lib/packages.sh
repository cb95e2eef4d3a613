# Checks for and installs system packages, by their Debian names. To be sourced.

missing_packages=()

# needs PACKAGE CHECK...: PACKAGE is missing unless the command CHECK succeeds.
needs() {
  "${@:2}" >/dev/null 2>&1 || missing_packages+=("$1")
}

# Installs the missing packages; without root, prints what must be installed and exits.
install_missing_packages() {
  ((${#missing_packages[@]})) || return 0
  local as_root=()
  ((EUID == 0)) || as_root=(sudo -n)
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "Please install these packages (Debian's names), then run this again:" >&2
    echo "  ${missing_packages[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing_packages[*]}"
  "${as_root[@]}" apt-get update --quiet=2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet=2 --no-install-recommends \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "${missing_packages[@]}" >/dev/null
  missing_packages=()
}
