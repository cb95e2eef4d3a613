# The browser of the browser tests and of the pictures. To be sourced.
source bin/lib/packages.sh

# Installs Debian's Chromium and a font with Japanese characters, unless they are there.
install_browser() {
  needs chromium command -v chromium
  needs fonts-noto-cjk has_japanese_font
  install_missing_packages
}

# Fontconfig comes with the browser.
has_japanese_font() {
  [[ -n $(fc-list :lang=ja family) ]]
}
