#!/bin/sh
# Builds the pinned Go test tools of tools/go.mod and tools/*/go.mod into tools/bin. Does nothing while the pins and the Go version stand.
set -eu
cd "$(dirname "$0")/../tools"
command -v go >/dev/null || PATH="$PATH:/usr/local/go/bin"
command -v go >/dev/null || ../scripts/setup.sh golang-go

# Debian's Go is older than the tools need. Any Go can fetch a newer one as a module, checked by the checksum database.
wanted_go=$(sed -n 's/^go //p' go.mod)
have_go=$(go env GOVERSION | sed 's/^go//')
if [ "$(printf '%s\n' "$wanted_go" "$have_go" | sort -V | head -n 1)" != "$wanted_go" ]; then
  toolchain="golang.org/toolchain@v0.0.1-go$wanted_go.linux-$(go env GOARCH)"
  directory=$(cd / && GOFLAGS='' go mod download -json "$toolchain" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  chmod +x "$directory"/bin/* "$directory"/pkg/tool/*/*
  PATH="$directory/bin:$PATH"
fi

programs="crictl crictl-1.26 critest containerd containerd-shim-runc-v2 ctr
cni/bridge cni/host-local cni/tuning cni/portmap cni/bandwidth"
wanted="$(go version) $(cat go.mod go.sum */go.mod */go.sum ../scripts/tools.sh | sha256sum)"
complete=yes
for program in $programs; do [ -x "bin/$program" ] || complete=no; done
if [ $complete = yes ] && [ "$(cat bin/.stamp 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi

echo "tools: building" $programs
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -trimpath -buildvcs=false"
cri_tools=sigs.k8s.io/cri-tools
containerd=github.com/containerd/containerd/v2
flags="-s -w -X $cri_tools/pkg/version.Version=$(go list -m -f '{{.Version}}' $cri_tools)
-X $containerd/version.Version=$(go list -m -f '{{.Version}}' $containerd)"
flags=$(echo "$flags" | tr '\n' ' ')
rm -f bin/.stamp
mkdir -p bin
go build -ldflags "$flags" -o bin/ $cri_tools/cmd/crictl $containerd/cmd/containerd $containerd/cmd/containerd-shim-runc-v2 $containerd/cmd/ctr
# critest is a test suite: its package holds test files only.
go test -c -ldflags "$flags" -o bin/critest $cri_tools/cmd/critest
# A client that is years old: one module can't hold two versions of another.
old_cri_tools=github.com/kubernetes-sigs/cri-tools
(
  cd crictl-1.26
  old_flags="-s -w -X $old_cri_tools/pkg/version.Version=$(go list -m -f '{{.Version}}' $old_cri_tools)"
  go build -ldflags "$old_flags" -o ../bin/crictl-1.26 $old_cri_tools/cmd/crictl
)
# Debian's CNI plugins are of CNI 1.0; these have STATUS and GC.
(
  cd cni-plugins
  plugins=github.com/containernetworking/plugins
  version=$(go list -m -f '{{.Version}}' $plugins)
  mkdir -p ../bin/cni
  go build -ldflags "-s -w -X $plugins/pkg/utils/buildversion.BuildVersion=$version" -o ../bin/cni/ \
    $plugins/plugins/main/bridge $plugins/plugins/ipam/host-local $plugins/plugins/meta/tuning \
    $plugins/plugins/meta/portmap $plugins/plugins/meta/bandwidth
)
echo "$wanted" >bin/.stamp
