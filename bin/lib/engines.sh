# The engines that run beside the shop on several machines. To be sourced, after packages.sh.

PATH=$PATH:/usr/local/sbin:/usr/sbin

# Installs Debian's MariaDB, nginx, Redis, RabbitMQ and Prometheus, unless they are there.
install_engines() {
  needs mariadb-server-core has_database_server
  needs mariadb-client-core command -v my_print_defaults
  needs nginx command -v nginx
  needs redis-server command -v redis-server
  needs rabbitmq-server test -x /usr/lib/rabbitmq/bin/rabbitmq-server
  needs prometheus command -v promtool
  install_missing_packages
}

has_database_server() {
  command -v mariadbd || command -v mysqld
}
