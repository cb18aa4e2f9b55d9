#!/bin/sh
### BEGIN INIT INFO
# Provides:          pypid
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Should-Start:      $named $time
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Python package index
# Description:       Serves, accepts and passes on Python distributions for pip, uv and twine.
### END INIT INFO
#
# Settings: /etc/default/pypid.   Log: /var/log/pypid/pypid.log.
# By hand, in the foreground, when it does not start and the log says nothing:
#   su -s /bin/sh {{ user }} -c '{{ twistd }} -n --pidfile= pypid {{ index }}'

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

PYPID_TWISTD={{ twistd }}
PYPID_USER={{ user }}
PYPID_ROOT={{ root }}
PYPID_UMASK=022
PYPID_STOP_TIMEOUT=40
PYPID_LOG=/var/log/pypid/pypid.log
PYPID_PIDFILE=/run/pypid/pypid.pid
PYPID_OPTIONS="{{ all_words }}"
DEFAULTS=/etc/default/pypid
# shellcheck source=/dev/null
[ -r "$DEFAULTS" ] && . "$DEFAULTS"

say() { echo "pypid: $*"; }

# The number in the pidfile, if it is that of our daemon and not of what got its number since.
running_pid() {
    [ -r "$PYPID_PIDFILE" ] || return 1
    read -r pid rest < "$PYPID_PIDFILE" || [ -n "$pid" ] || return 1
    case $pid in '' | *[!0-9]*) return 1 ;; esac
    tr '\0' '\n' 2> /dev/null < "/proc/$pid/cmdline" | grep -qxF -e "--pidfile=$PYPID_PIDFILE" || return 1
    echo "$pid"
}

# Make a directory for the daemon's user; one that exists stays as it is.
provide() {
    [ -d "$1" ] || { mkdir -p "$1" && own "$1"; }
}

own() {
    [ "$(id -u)" -ne 0 ] || chown -h "$PYPID_USER:" "$1"
}

start() {
    if pid=$(running_pid); then
        say "already running, process $pid"
        return 0
    fi
    if [ ! -x "$PYPID_TWISTD" ]; then
        say "cannot start: there is no $PYPID_TWISTD; install pypid-server there, or set PYPID_TWISTD in $DEFAULTS"
        return 5
    fi
    if ! id "$PYPID_USER" > /dev/null 2>&1; then
        say "cannot start: there is no user $PYPID_USER; make it: useradd --system $PYPID_USER"
        return 6
    fi
    if [ "$(id -u)" -eq 0 ]; then
        set -- --uid="$(id -u "$PYPID_USER")" --gid="$(id -g "$PYPID_USER")"
    elif [ "$(id -u)" -eq "$(id -u "$PYPID_USER")" ]; then
        set --
    else
        say "cannot start: only root and $PYPID_USER may"
        return 4
    fi
    for directory in "$PYPID_ROOT" "$(dirname "$PYPID_LOG")" "$(dirname "$PYPID_PIDFILE")"; do
        provide "$directory" || return 1
    done
    # twistd opens its log as root, and could not rotate one of root's as that user.
    if [ -h "$PYPID_LOG" ]; then
        say "cannot start: $PYPID_LOG is a symbolic link, and root follows none of $PYPID_USER's"
        return 1
    fi
    [ -e "$PYPID_LOG" ] || { : > "$PYPID_LOG" && own "$PYPID_LOG"; } || return 1
    rm -f "$PYPID_PIDFILE"
    set -f # so that --reserve acme-* reaches the daemon as it is written
    # shellcheck disable=SC2086  # the options are words to be split
    if "$PYPID_TWISTD" "$@" --umask="$PYPID_UMASK" --rundir=/ \
        --pidfile="$PYPID_PIDFILE" --logfile="$PYPID_LOG" \
        pypid --root "$PYPID_ROOT" $PYPID_OPTIONS && pid=$(running_pid); then
        say "started, process $pid"
    else
        say "did not start; the end of $PYPID_LOG says why:"
        tail -n 2 "$PYPID_LOG"
        return 1
    fi
}

# Wait until the daemon has ended, for so many seconds.
ended_within() {
    tenths=$(($1 * 10))
    while running_pid > /dev/null; do
        [ $tenths -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

stop() {
    if ! pid=$(running_pid); then
        say "not running"
        rm -f "$PYPID_PIDFILE"
        return 0
    fi
    kill -TERM "$pid" || return 4
    if ! ended_within "$PYPID_STOP_TIMEOUT"; then
        say "still there after $PYPID_STOP_TIMEOUT seconds, killing process $pid"
        kill -KILL "$pid"
        ended_within 10 || return 1
    fi
    rm -f "$PYPID_PIDFILE"
    say "stopped"
}

# Read the configuration again; the log has what came of it.
reload() {
    if pid=$(running_pid); then
        kill -HUP "$pid" && say "is to read its configuration again; see $PYPID_LOG"
    else
        say "not running"
        return 7
    fi
}

status() {
    if pid=$(running_pid); then
        say "running, process $pid"
    elif [ -e "$PYPID_PIDFILE" ]; then
        say "not running, but there is a $PYPID_PIDFILE: it did not end well, see $PYPID_LOG"
        return 1
    else
        say "not running"
        return 3
    fi
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    restart | force-reload) stop && start ;;
    reload) reload ;;
    status) status ;;
    *)
        echo "Usage: $0 {start|stop|restart|reload|force-reload|status}" >&2
        exit 2
        ;;
esac
