# Throwaway folders. To be sourced.

# make_quick_folder: creates a folder, and prints its path. In memory, where nothing waits for a disk, if there is room for all
# that the tests write.
make_quick_folder() {
  has_room /dev/shm && mktemp -d -p /dev/shm || mktemp -d
}

has_room() {
  local free
  free=$(df --output=avail --block-size=1G "$1" 2>/dev/null | tail -n 1) && ((free >= 2))
}
