#!/bin/sh
# crun refuses a host that mounts cgroup v2 beside v1 (/sys/fs/cgroup/unified), as some machines without systemd do.
# This runs it where that mount is out of sight. Everywhere else it is crun itself.
if [ "$1" != in-own-mounts ]; then
  mountpoint -q /sys/fs/cgroup/unified || exec crun "$@"
  # All other mounts stay peers of the host's, or a container's could not pass to the host.
  exec unshare --mount --propagation unchanged -- "$0" in-own-mounts "$@"
fi
shift
mount --make-private /sys/fs/cgroup
umount /sys/fs/cgroup/unified
exec crun "$@"
