/** Linux numbers by name, those with several names included; real-time signals are computed. signal(7) */
const numbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};
/** As glibc has them; the kernel's first two are taken by its threads. */
const rtMin = 34;
const rtMax = 64;

/**
 * The number of a signal as people, images and kill(1) write it: "SIGTERM", "term", "15", "SIGRTMIN+3", "RTMAX-1".
 * @returns undefined for what no process can be sent
 */
export function signalNumber(text: string): number | undefined {
  const number = /^\d{1,2}$/.test(text) ? Number(text) : numberOf(text.toUpperCase());
  return number !== undefined && isSignal(number) ? number : undefined;
}

function numberOf(text: string): number | undefined {
  const name = text.startsWith("SIG") ? text : `SIG${text}`;
  const realTime = /^SIGRT(MIN|MAX)([+-]\d{1,2})?$/.exec(name);
  if (realTime !== null) return (realTime[1] === "MIN" ? rtMin : rtMax) + Number(realTime[2] ?? 0);
  return Object.hasOwn(numbers, name) ? numbers[name] : undefined;
}

function isSignal(number: number): boolean {
  return (number >= 1 && number <= 31) || (number >= rtMin && number <= rtMax);
}
