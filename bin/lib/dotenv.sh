# The settings: from the environment, else from ENV_FILE (.env). To be sourced, in the project's folder.

# setting NAME DEFAULT: prints the value from the environment, else from ENV_FILE, else DEFAULT.
setting() {
  local value=${!1:-} file=${ENV_FILE:-.env}
  [[ -n $value || ! -f $file ]] || value=$(sed -n "s/^$1=//p" "$file")
  echo "${value:-$2}"
}

# Puts a random SECRET_KEY into .env, unless there is one already or ENV_FILE names another file.
ensure_secret_key() {
  [[ -z ${ENV_FILE:-} && -z $(setting SECRET_KEY "") ]] || return 0
  (
    umask 077 # readable by the owner only
    .venv/bin/python -c 'import secrets; print("SECRET_KEY=" + secrets.token_urlsafe(50))' >.env.new
    [[ ! -f .env ]] || sed '/^SECRET_KEY=$/d' .env >>.env.new
    mv .env.new .env
  )
  echo "Wrote a random SECRET_KEY into .env"
}
