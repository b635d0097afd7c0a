/**
 * System calls by what they are for, as the default profile lets them through. What is let through is what Docker and
 * containerd let through, so that images behave alike; numbers and names are those of the kernel's syscall tables.
 */

/** Calls that need no privilege beyond those the kernel checks itself. */
const ordinary: Readonly<Record<string, string>> = {
  processes: `execve execveat exit exit_group fork vfork wait4 waitid waitpid getpid getppid
    gettid getpgid getpgrp getsid setpgid setsid kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease prctl
    restart_syscall set_tid_address rseq membarrier getcpu landlock_create_ruleset landlock_add_rule
    landlock_restrict_self seccomp get_thread_area set_thread_area`,
  identity: `capget capset getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32
    getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
    setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32`,
  signals: `rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn signalfd signalfd4 pause alarm`,
  memory: `brk madvise memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap
    mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages cachestat
    map_shadow_stack`,
  locks: `futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list`,
  scheduling: `sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield getpriority setpriority ioprio_get ioprio_set`,
  limits: `getrlimit ugetrlimit setrlimit prlimit64 getrusage times sysinfo uname umask`,
  time: `adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer setitimer gettimeofday nanosleep time timer_create timer_delete
    timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
    timerfd_gettime64 timerfd_settime timerfd_settime64`,
  opening: `open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2 eventfd
    eventfd2 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark name_to_handle_at`,
  reading: `read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead sendfile
    sendfile64 splice tee vmsplice copy_file_range fadvise64 fadvise64_64 fallocate fsync fdatasync sync syncfs
    sync_file_range sync_file_range2 truncate truncate64 ftruncate ftruncate64`,
  waiting: `poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl
    epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2`,
  metadata: `stat stat64 fstat fstat64 fstatat64 newfstatat lstat lstat64 statx statfs statfs64 fstatfs fstatfs64
    statmount listmount access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat
    lchown lchown32 utime utimes utimensat utimensat_time64 futimesat readlink readlinkat getcwd chdir fchdir getdents
    getdents64`,
  attributes: `getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr
    flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat`,
  names: `link linkat symlink symlinkat rename renameat renameat2 unlink unlinkat mkdir mkdirat rmdir mknod mknodat`,
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
    recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  ipc: `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`,
  asynchronous: `io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`,
};

/** Debuggers: before Linux 4.8 ptrace could be used to slip past a filter (seccomp(2)). */
const tracing = "ptrace process_vm_readv process_vm_writev";

/** Calls that mean something only to one who has the capability. */
const privileged: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: "open_by_handle_at",
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl
    quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "delete_module init_module finit_module query_module",
  CAP_SYS_NICE: "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: `kcmp pidfd_getfd process_madvise ${tracing}`,
  CAP_SYS_RAWIO: "ioperm iopl",
  CAP_SYS_TIME: "settimeofday stime clock_settime clock_settime64",
  CAP_SYS_TTY_CONFIG: "vhangup",
  CAP_SYSLOG: "syslog",
  CAP_BPF: "bpf",
  CAP_PERFMON: "perf_event_open",
};

/** Calls that only some processors have, by Node's names of them. */
const ofArchitecture: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: "arch_prctl modify_ldt",
  ia32: "modify_ldt",
  arm: "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls",
  arm64: "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls",
  ppc64: "swapcontext",
  riscv64: "riscv_flush_icache",
  s390x: "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
};

const split = (text: string): readonly string[] => text.split(/\s+/).filter((name) => name !== "");

/** Let through for everybody. */
export const ordinarySyscalls: readonly string[] = Object.values(ordinary).flatMap(split).toSorted();

export const tracingSyscalls: readonly string[] = split(tracing);

/** Let through for those who have the capability. */
export const privilegedSyscalls: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(privileged).map(([capability, names]) => [capability, split(names)]),
);

/** Let through on this processor. */
export function architectureSyscalls(architecture: NodeJS.Architecture): readonly string[] {
  return split(ofArchitecture[architecture] ?? "");
}
