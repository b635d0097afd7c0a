import type { AnyMessage, TimestampMessage } from "./shim-protocol.ts";

/** The task service's messages as they are on the wire; v2 and v3 have the same. */
export interface TaskCalls {
  readonly Create: {
    readonly request: {
      readonly id: string;
      readonly bundle: string;
      readonly terminal: boolean;
      readonly stdin: string;
      readonly stdout: string;
      readonly stderr: string;
      readonly options: AnyMessage | null;
    };
    readonly response: { readonly pid: number };
  };
  readonly Start: { readonly request: ProcessRef; readonly response: { readonly pid: number } };
  readonly Wait: { readonly request: ProcessRef; readonly response: ExitMessage };
  readonly Delete: { readonly request: ProcessRef; readonly response: ExitMessage & { readonly pid: number } };
  readonly State: { readonly request: ProcessRef; readonly response: StateMessage };
  readonly Kill: {
    readonly request: ProcessRef & { readonly signal: number; readonly all: boolean };
    readonly response: object;
  };
  readonly Exec: {
    readonly request: ProcessRef & {
      readonly terminal: boolean;
      readonly stdin: string;
      readonly stdout: string;
      readonly stderr: string;
      readonly spec: AnyMessage;
    };
    readonly response: object;
  };
  readonly CloseIO: { readonly request: ProcessRef & { readonly stdin: boolean }; readonly response: object };
  readonly ResizePty: {
    readonly request: ProcessRef & { readonly width: number; readonly height: number };
    readonly response: object;
  };
  readonly Pids: {
    readonly request: { readonly id: string };
    readonly response: { readonly processes: readonly { readonly pid: number }[] };
  };
  readonly Pause: { readonly request: { readonly id: string }; readonly response: object };
  readonly Resume: { readonly request: { readonly id: string }; readonly response: object };
  readonly Checkpoint: {
    readonly request: { readonly id: string; readonly path: string };
    readonly response: object;
  };
  readonly Update: {
    readonly request: { readonly id: string; readonly resources: AnyMessage };
    readonly response: object;
  };
  readonly Stats: {
    readonly request: { readonly id: string };
    readonly response: { readonly stats: AnyMessage | null };
  };
  readonly Connect: {
    readonly request: { readonly id: string };
    readonly response: { readonly shim_pid: number; readonly task_pid: number; readonly version: string };
  };
  readonly Shutdown: { readonly request: { readonly id: string; readonly now: boolean }; readonly response: object };
}

export type TaskMethod = keyof TaskCalls;

interface ProcessRef {
  readonly id: string;
  readonly exec_id: string;
}

interface ExitMessage {
  readonly exit_status: number;
  readonly exited_at: TimestampMessage | null;
}

interface StateMessage extends ExitMessage {
  readonly bundle: string;
  readonly pid: number;
  readonly status: number;
}

const empty = "google.protobuf.Empty";

/** Names of each method's request and response, after the service's package unless they are well-known types. */
export const taskMessages: Readonly<Record<TaskMethod, readonly [request: string, response: string]>> = {
  Create: ["CreateTaskRequest", "CreateTaskResponse"],
  Start: ["StartRequest", "StartResponse"],
  Wait: ["WaitRequest", "WaitResponse"],
  Delete: ["DeleteRequest", "DeleteResponse"],
  State: ["StateRequest", "StateResponse"],
  Kill: ["KillRequest", empty],
  Exec: ["ExecProcessRequest", empty],
  CloseIO: ["CloseIORequest", empty],
  ResizePty: ["ResizePtyRequest", empty],
  Pids: ["PidsRequest", "PidsResponse"],
  Pause: ["PauseRequest", empty],
  Resume: ["ResumeRequest", empty],
  Checkpoint: ["CheckpointTaskRequest", empty],
  Update: ["UpdateTaskRequest", empty],
  Stats: ["StatsRequest", "StatsResponse"],
  Connect: ["ConnectRequest", "ConnectResponse"],
  Shutdown: ["ShutdownRequest", empty],
};
