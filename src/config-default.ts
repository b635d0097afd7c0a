/**
 * The configuration of an agent that is told nothing, as a file with comments: `podling config default` prints it, and
 * every key a configuration leaves out is taken from it, so the two cannot differ.
 */
export const defaultConfigText = `instance = "default"                 # prefixes everything this agent owns on the host: netns, links, nft tables, cgroups, loop files
root  = "/var/lib/podling"           # images, snapshots, pod disks, records
state = "/run/podling"               # sockets, bundles, fifos
profile = "eci"                      # "eci": the limits of an elastic container instance; "node": ordinary kubelet pods

[grpc]
address = "/run/podling/podling.sock" # left out: podling.sock in the state directory
tcp_address = ""                     # with [grpc.tls] cert, key, client_ca: mutual TLS only (not built yet)
[streaming]
address = "127.0.0.1:0"              # exec, attach and port-forward; any but a loopback address needs cert and key
cert = ""                            # PEM files: then with TLS
key = ""
[metrics]
address = "127.0.0.1:9977"           # /metrics /metrics/pods /livez /readyz; "": none

[runtime]
default_handler = "runc"
cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi"] # specs of CDI devices; a later directory's win
warm_shims = 0                       # launched ahead of the pods that will use them, 4 MB each; 0: none
[runtime.handlers.runc]
shim = "containerd-shim-runc-v2"
binary = "runc"
[runtime.handlers.crun]
shim = "containerd-shim-runc-v2"
binary = "crun"

[images]
snapshotter = "auto"                 # "overlay", "erofs"; "auto": erofs where it works (Linux 6.12)
parallel_layers = 0                  # 0: from the cores
durable = true                       # syncfs before an image is recorded as present
[images.gc]                          # removes images that no container uses, the longest unused first
high_threshold = 85                  # percent of root's file system in use at which space is made; 100: never
low_threshold = 80                   # percent in use at which enough has been made
minimum_age = "2m"                   # what was used, pulled or asked for since then stays
maximum_age = "0s"                   # what has not been used for so long goes, whatever space there is; "0s": nothing does
interval = "5m"                      # between two looks; "0s": only by podling images gc
pinned = []                          # never removed: references, with * for any text, such as "registry.k8s.io/pause:*"
[images.caches]
limit = 100                          # image caches at a time; beyond it, unused ones of the strategy LRU go
[registry]
config_path = "/etc/podling/certs.d" # containerd's hosts.toml layout
docker_config = ""                   # credentials for pulls that bring none: a docker config.json, such as "/root/.docker/config.json"
credential_providers = ""            # the same: a kubelet's CredentialProviderConfig, whose programs lie in
credential_provider_bin_dir = ""
[registry.acr]                       # the same: Alibaba Cloud's Container Registry, as acr-configuration and acr-instance-ids say
region = ""                          # of this machine, for instances without one
endpoint = "https://cr.{region}.aliyuncs.com"
access_key_file = ""                 # JSON with accessKeyId, accessKeySecret, securityToken; or
ram_role = ""                        # the machine's RAM role; with neither, Container Registry is not asked
metadata_endpoint = "http://100.100.100.200"

[network]
provider = "local-vpc"               # "cni": the plugins of [network.cni]; "aliyun" (not built yet)
[network.cni]
conf_dir = "/etc/cni/net.d"          # its first network by file name is the pods'; watched
bin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]
plugin_timeout_seconds = 60          # a plugin that takes longer is killed
gc = false                           # true: plugins drop what is not of this agent's pods; only where nobody else uses the network
[[network.vpcs]]
id = "vpc-default"
cidr = "10.88.0.0/16"
ipv6_cidr = "fd00:88::/56"
nat_gateway = true
# snat_entries = [{ source = "vsw-default", eip = "eip-nat" }] # left out: all of the VPC, as the host
[[network.vswitches]]
id = "vsw-default"
vpc = "vpc-default"
zone = "local-a"
cidr = "10.88.0.0/20"
ipv6_cidr = "fd00:88::/64"
# reserved = ["10.88.1.0/28", "10.88.0.9-10.88.0.20"] # never given out
[[network.security_groups]]
id = "sg-default"
vpc = "vpc-default"                  # type = "enterprise", intranet = "drop": docs/network.md
# rules = [{ direction = "ingress", policy = "accept", protocol = "tcp", ports = "1-65535", source = "10.88.0.0/16", priority = 1 }]
# [[network.eips]]                   # addresses of the internet that lead to this host; Mbit/s
# id = "eip-web"
# address = "203.0.113.200"
# bandwidth = 5
# [[network.eip_pools]]              # addresses for pods that ask for a new EIP
# id = "pippool-default"
# cidr = "203.0.113.0/28"
# isp = "BGP"

[storage]
ephemeral_size = "30Gi"
[manifests]
dir = "/etc/podling/manifests.d"     # eci-profile ConfigMap, PodNetworking, SecurityGroup, ImageCache, DataCache, acr-configuration as Kubernetes YAML, watched
[cluster]
id = "default"                       # tells this cluster's pods from another's: fixed addresses are held for cluster/namespace/pod
etcd_endpoints = []                  # empty: this node alone (others are not built yet)
node = ""                            # defaults to the hostname
`;
