# shellcheck shell=bash
# Processes of a lab, sourced by the labs' scripts. A pid file holds "PID START-TIME", so that a pid which the system gave
# to somebody else in the meantime (a reboot, a copied folder) is never taken for ours and never killed.

born() { # PID: its start time; fails when it is gone or only waits to be reaped
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [ "$1" != Z ] && echo "${20}"
}

alive() { # PIDFILE
  local pid start
  read -r pid start 2>/dev/null <"$1" && [ -n "$start" ] && [ "$(born "$pid")" = "$start" ]
}

launch() { # PIDFILE LOGFILE COMMAND...: detached, survives the script and its terminal
  local file=$1 log=$2
  shift 2
  setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
  echo "$! $(born $!)" >"$file"
}

halt() { # SIGNAL SECONDS PIDFILE...: all at once; what is left after SECONDS is killed, with its children
  local signal=$1 end=$((SECONDS + $2)) file pid left
  shift 2
  for file; do
    if alive "$file"; then read -r pid _ <"$file"; kill "-$signal" "$pid" 2>/dev/null || true; fi
  done
  while left=; for file; do alive "$file" && left="$left $file"; done; [ -n "$left" ] && [ $SECONDS -lt $end ]; do sleep 0.2; done
  for file in $left; do
    read -r pid _ <"$file"
    # shellcheck disable=SC2046
    kill -KILL "$pid" $(ps -o pid= --ppid "$pid") 2>/dev/null || true
  done
  rm -f "$@"
}

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT
