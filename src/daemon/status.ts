/**
 * `hawser status`: asks a node over its client port, and prints what it says for human eyes.
 *
 * Owns: the page. Does not own: asking (ask.ts), what is believed (answers.ts), figures (node.ts), the progress line (progress.ts),
 * lines of events (events-text.ts).
 */
import { readEvents, readStatus, jsonLine } from "./answers.ts";
import { ask, tellFailure } from "./ask.ts";
import type { StatusOptions } from "./ask-options.ts";
import { eventsText } from "./events-text.ts";
import { CHECK_EXIT, degradedBecause, reasonsOf } from "./health.ts";
import type { DiskStatus, LinkStatus, NodeStatus, UpstreamStatus } from "../node/api.ts";
import type { SyncStatus } from "../node/member-status.ts";
import { recoveryText } from "../node/disk/recovery-text.ts";
import { escapeText } from "../node/logger.ts";
import { formatAddress } from "../net/address.ts";
import { timeText } from "./moment-text.ts";
import { progressLine, shipLine } from "./progress.ts";

const EXIT = { ok: 0, failed: 1, degraded: 3 } as const;
const TICK_MS = 1000;
const TIMEOUT_MS = 5000;

/** Prints once, or every second; resolves with the exit code. */
export async function runStatus(options: StatusOptions): Promise<number> {
  const terminal = process.stdout.isTTY;
  while (true) {
    let shown: Shown;
    try {
      const command = options.events ? "REPL.EVENTS" : "REPL.STATUS";
      shown = show(await ask(options, [command], TIMEOUT_MS), options, terminal);
    } catch (error) {
      tellFailure("status", options.target, error);
      if (options.check) return CHECK_EXIT.down;
      if (!options.watch) return EXIT.failed;
      await sleep(TICK_MS);
      continue;
    }
    // A page that comes before the last one was read has nobody who reads it either.
    if (!options.watch || process.stdout.writableLength === 0) process.stdout.write(shown.text);
    if (!options.watch) return shown.code;
    await sleep(TICK_MS);
  }
}

interface Shown {
  readonly text: string;
  readonly code: number;
}

/**
 * What one answer gives to print, and the exit code.
 * @throws Error when a node of this version does not answer so
 */
export function show(answer: string, options: StatusOptions, terminal: boolean): Shown {
  if (options.events) {
    const events = readEvents(answer);
    return { text: options.json ? jsonLine(events) : eventsText(events), code: EXIT.ok };
  }
  const status = readStatus(answer);
  if (options.check) {
    const reasons = reasonsOf(status);
    return {
      text: reasons.map((reason) => `${reason}\n`).join(""),
      code: reasons.length === 0 ? CHECK_EXIT.ok : CHECK_EXIT.degraded,
    };
  }
  const code = degradedBecause(status) === "" ? EXIT.ok : EXIT.degraded;
  if (options.json) return { text: jsonLine(status), code };
  const page = statusText(status, terminal);
  return { text: options.watch && terminal ? `\u001b[H\u001b[J${page}` : page, code };
}

/** The whole page. */
export function statusText(
  status: NodeStatus,
  colour: boolean,
  nowMs: number = Date.now(),
): string {
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const { backlog, position } = status;
  const lines = [
    `role      ${paint(1, status.role)}   node ${status.nodeId.slice(0, 8)}   client port ${status.clientPort}   replication port ${status.replPort}`,
    `position  ${position.history} @ ${position.offset} (chain ${position.chain.toString(16).padStart(8, "0")})`,
    `backlog   [${backlog.first}, ${backlog.next}) ${bytes(backlog.next - backlog.first)} of ${bytes(backlog.sizeBytes)}, held ${bytes(backlog.heldBytes)}`,
  ];
  if (status.disk !== null) lines.push(...diskLines(status.disk));
  if (status.recovery !== null) lines.push(`recovery  ${recoveryText(status.recovery, nowMs)}`);
  if (status.fenced !== "") lines.push(...fencedLines(status, paint));
  if (!status.complete)
    lines.push("log       incomplete: it may lack what it acknowledged before it was started");
  if (status.sync !== null) lines.push(`sync      ${syncText(status.sync)}`);
  if (status.upstream !== null) lines.push(...upstreamLines(status, status.upstream, nowMs));
  const degraded = degradedBecause(status);
  if (degraded !== "") lines.push(`${paint(33, "degraded")}  ${degraded}`);
  lines.push(`replicas  ${status.links.length}`);
  for (const link of status.links) lines.push(...linkLines(link, paint, nowMs));
  return `${lines.join("\n")}\n`;
}

/** Who leads in its place, and what it has that the other has not. */
function fencedLines(
  { fenced, ownBytes }: NodeStatus,
  paint: (code: number, text: string) => string,
): string[] {
  const own =
    ownBytes === 0
      ? "none of its log is its own: it follows when it hears where the other is"
      : `${bytes(ownBytes)} of its log the other has not: discarded when it follows`;
  return [paint(31, `fenced    ${escapeText(fenced)}`), `          ${own}`];
}

/** By how many writes are confirmed, and how it stands with them. */
function syncText({ copies, level, leads, members, ...sync }: SyncStatus): string {
  const changing = sync.change === null ? "" : ", a change under way";
  const rule = `${copies} of the others confirm at level ${level}, ${members.length} members${changing}`;
  if (!leads) return `${rule}; this node does not lead`;
  const to = sync.confirmed < 0 ? "nothing confirmed yet" : `confirmed up to ${sync.confirmed}`;
  return `${rule}, ${sync.goodMembers} good besides this node; ${to}, ${sync.heldReplies} replies held`;
}

/** How far the log is on the disk, and what a start would read. */
function diskLines({ fsync, watermarks, found, incompleteTo, ...disk }: DiskStatus): string[] {
  const { appended, sealed, written, durable } = watermarks;
  const checkpoint =
    disk.checkpoint === null
      ? "no checkpoint"
      : `checkpoint at ${disk.checkpoint.offset}, of ${timeText(disk.checkpoint.clockMs)}`;
  const lines = [
    `disk      fsync ${fsync}, appended ${appended}, sealed ${sealed}, written ${written}, durable ${durable}`,
    `          ${checkpoint}, ${bytes(disk.logBytes)} of log behind it`,
  ];
  if (found !== null)
    lines.push(
      `          at the start ${found.replayed} records from the log in ${found.ms} ms, ${found.cutBytes} bytes cut off its end`,
    );
  if (incompleteTo !== null) {
    const upTo = incompleteTo < 0 ? "nobody knows how far" : `up to offset ${incompleteTo}`;
    lines.push(`          incomplete: log that was synced is missing, ${upTo}`);
  }
  return lines;
}

function upstreamLines(status: NodeStatus, upstream: UpstreamStatus, nowMs: number): string[] {
  const where = escapeText(formatAddress(upstream));
  const lines = [
    `upstream  ${where} ${upstream.state}, received ${upstream.received}, applied ${upstream.applied}, ${behind(upstream.upstreamLagBytes)} behind it`,
    `root      ${rootText(upstream)}`,
  ];
  if (upstream.lastError !== "")
    lines.push(`          last error: ${escapeText(upstream.lastError)}`);
  const progress = progressLine(status, nowMs);
  if (progress !== "") lines.push(`          ${progress}`);
  return lines;
}

function linkLines(
  link: LinkStatus,
  paint: (code: number, text: string) => string,
  nowMs: number,
): string[] {
  const where = escapeText(formatAddress({ host: link.host, port: link.clientPort }));
  const state = paint(link.state === "streaming" ? 32 : 33, link.state);
  const lines = [
    `  ${where.padEnd(22)} ${state}, ${behind(link.lagBytes)} behind this node, ${age(link)}`,
  ];
  const progress = shipLine(link, nowMs);
  if (progress !== "") lines.push(`    ${progress}`);
  return lines;
}

/**
 * Whether the way to the root stands, and how far from it this node's state may be. Of a root that is away
 * nobody knows how much it has written since.
 */
function rootText(upstream: UpstreamStatus): string {
  const { rootLink, rootDownForMs, lagBytes, staleMs } = upstream;
  const isUp = rootLink === "up";
  const link = isUp ? "link up" : `away for ${Math.round(rootDownForMs / 1000)} s`;
  const atLeast = isUp || lagBytes < 0 ? "" : "at least ";
  const old =
    staleMs < 0
      ? "age of the state unknown"
      : `state at most ${staleMs} ms old by the root's clock`;
  return `${link}, ${atLeast}${behind(lagBytes)} behind its last known end, ${old}`;
}

function behind(lagBytes: number): string {
  return lagBytes < 0 ? "unknown" : `${lagBytes} bytes`;
}

function age({ lagBytes, lagMs }: LinkStatus): string {
  if (lagMs < 0) return "age unknown";
  return lagBytes === 0 ? `round trip ${lagMs} ms` : `oldest missing write ${lagMs} ms old`;
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KB`;
  if (count < 1024 * 1024 * 1024) return `${(count / 1024 / 1024).toFixed(1)} MB`;
  return `${(count / 1024 / 1024 / 1024).toFixed(2)} GB`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
