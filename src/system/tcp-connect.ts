import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import { ipToBytes, readIp } from "../common/ip-address.ts";
import { check, errnoName, libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;

/** A TCP connection that is made or being made. Who gets it closes the descriptor. */
export interface TcpConnect {
  readonly fd: number;
  readonly connected: boolean;
}

/**
 * Begins a TCP connection in the calling thread's network namespace, to which the socket belongs for ever. Descriptors
 * are the whole process's, so another thread can use it.
 * @throws SystemError with errno, ECONNREFUSED for one; nothing stays open then
 */
export function startTcpConnect(address: string, port: number): TcpConnect {
  const step = `connect to ${address} port ${port}`;
  const ip = readIp(address);
  if (ip === undefined) throw new SystemError(`${step}: this is no IP address`, { errno: "EINVAL" });
  const family = ip.family === 4 ? AF_INET : AF_INET6;
  const fd = check(libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), step);
  const socketAddress = Buffer.alloc(ip.family === 4 ? 16 : 28);
  socketAddress.writeUInt16LE(family, 0);
  socketAddress.writeUInt16BE(port, 2);
  ipToBytes(ip).copy(socketAddress, ip.family === 4 ? 4 : 8);
  if (libc.connect(fd, socketAddress, socketAddress.length) === 0) return { fd, connected: true };
  const errno = errnoName(koffi.errno());
  if (errno === "EINPROGRESS") return { fd, connected: false };
  libc.close(fd);
  throw new SystemError(`${step}: ${errno}`, { errno });
}

/**
 * Looks, without waiting, whether a connection that was begun is made.
 * @param step what it is for, in the error's words
 * @throws SystemError when it failed
 */
export function isTcpConnected(fd: number, step: string): boolean {
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(fd, 0);
  poll.writeInt16LE(POLLOUT, 4);
  if (check(libc.poll(poll, 1, 0), step) === 0) return false;
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  check(libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length), step);
  const failure = value.readInt32LE();
  if (failure === 0) return true;
  throw new SystemError(`${step}: ${errnoName(failure)}`, { errno: errnoName(failure) });
}
