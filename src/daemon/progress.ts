/**
 * The progress of a full sync as one line: chunks, MB, MB/s, time left.
 *
 * Owns: arithmetic and words. Does not own: terminals of other commands (status.ts).
 */
import type { LinkStatus, NodeStatus } from "../node/api.ts";
import { recoveryText } from "../node/disk/recovery-text.ts";
import type { NodeListener } from "../node/events.ts";

const MB = 1024 * 1024;
const TICK_MS = 200;
const ERASE = "\r\u001b[K";

/** One line about the sync that this node receives, or "" when there is none. */
export function progressLine(status: NodeStatus, nowMs: number = Date.now()): string {
  const restore = status.upstream?.restore ?? null;
  if (restore === null) return "";
  return `full sync: ${transferLine(restore.chunks, restore.bytes, restore.bytesTotal, nowMs - restore.startedAtMs)}`;
}

/** One line about a sync that this node sends, or "" when that link has none. */
export function shipLine(link: LinkStatus, nowMs: number = Date.now()): string {
  const { ship } = link;
  if (ship === null || ship.state === "finishing") return "";
  if (ship.state === "queued") return "full sync: queued";
  return `full sync: ${transferLine(ship.chunksSent, ship.bytesSent, ship.bytesTotal, nowMs - ship.startedAtMs)}`;
}

/** How far a transfer is: chunks, MB, MB/s, time left. */
export function transferLine(
  chunks: number,
  bytes: number,
  total: number,
  elapsedMs: number,
): string {
  const perSecond = elapsedMs <= 0 ? 0 : (bytes * 1000) / elapsedMs;
  const known = total > 0;
  const left = known && perSecond > 0 ? Math.max(total - bytes, 0) / perSecond : -1;
  const size = known ? `${mb(bytes)}/${mb(total)} MB` : `${mb(bytes)} MB`;
  const eta = left < 0 ? "" : `, ETA ${seconds(left)}`;
  return `${chunks} chunks, ${size}, ${mb(perSecond)} MB/s${eta}`;
}

function mb(bytes: number): string {
  return (bytes / MB).toFixed(1);
}

function seconds(value: number): string {
  return value < 100 ? `${value.toFixed(0)} s` : `${(value / 60).toFixed(1)} min`;
}

/** The node, as its progress is shown. */
export interface ShownNode {
  status(): NodeStatus;
  readonly emitter: { on(event: "state", listener: NodeListener<"state">): void };
}

/** A terminal with log lines and, below them, one line of progress that they never glue to. */
export class ProgressTerminal {
  private line = "";
  private readonly stream: { write(text: string): unknown };

  constructor(stream: { write(text: string): unknown }) {
    this.stream = stream;
  }

  /** Whole lines of log; the line of progress comes back below them. */
  log(text: string): void {
    this.stream.write(this.line === "" ? text : `${ERASE}${text}${this.line}`);
  }

  /** The line of progress; "" for none. */
  progress(line: string): void {
    if (line === "" && this.line === "") return;
    this.line = line;
    this.stream.write(`${ERASE}${line}`);
  }

  /** Shows the recovery of `node` from its disk, until it is over. */
  recovery(node: ShownNode): void {
    const clock = setInterval(() => {
      const nowMs = Date.now();
      const { recovery } = node.status();
      this.progress(recovery === null ? "" : `recovering ${recoveryText(recovery, nowMs)}`);
      if (recovery === null) clearInterval(clock);
    }, TICK_MS).unref();
  }

  /** Shows a full sync that `node` receives, while it does; the process may end meanwhile. */
  follow(node: ShownNode): void {
    let clock: NodeJS.Timeout | undefined;
    node.emitter.on("state", ({ state }) => {
      clearInterval(clock);
      if (state !== "restoring") this.progress("");
      // A clock, as what is shown grows all the time.
      else clock = setInterval(() => this.progress(progressLine(node.status())), TICK_MS).unref();
    });
  }
}
