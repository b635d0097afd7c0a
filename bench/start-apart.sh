#!/bin/sh
# usage: start-apart.sh GROUP_DIRECTORY PROGRAM [ARGUMENT...]
# Runs a program in a control group and a mount namespace of its own. Its mounts go when its last process ends, however
# that comes. Debian's crun refuses a machine that mounts both cgroup versions: inside, there is only the first.
set -eu
if [ "$1" != inside ]; then
  echo $$ >"$1/cgroup.procs"
  shift
  exec unshare --mount --propagation slave -- "$0" inside "$@"
fi
shift
! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
exec "$@"
