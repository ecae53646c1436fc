/**
 * `hawser status`: asks a node over its client port, and prints what it says for human eyes.
 *
 * Owns: the question, the text. Does not own: figures (node.ts), the progress line (progress.ts).
 */
import { connect, type Socket } from "node:net";
import type { LinkStatus, NodeStatus, UpstreamStatus } from "./node-api.ts";
import { escapeText } from "./logger.ts";
import { formatAddress } from "./option-values.ts";
import type { StatusOptions } from "./options.ts";
import { progressLine, shipLine } from "./progress.ts";

const TICK_MS = 1000;
const TIMEOUT_MS = 5000;
/** A status is some KiB; a thousand replicas are less than this. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Prints once, or every second; resolves with the exit code. */
export async function runStatus(options: StatusOptions): Promise<number> {
  const terminal = process.stdout.isTTY;
  while (true) {
    let text: string;
    try {
      text = await ask(options);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(
        `hawser status: ${formatAddress(options.target)}: ${escapeText(message)}\n`,
      );
      if (!options.watch) return 1;
      await sleep(TICK_MS);
      continue;
    }
    // The node wrote it, and answers with this type.
    const status = JSON.parse(text) as NodeStatus;
    if (options.json) process.stdout.write(`${text}\n`);
    else if (options.watch && terminal)
      process.stdout.write(`\u001b[H\u001b[J${statusText(status, true)}`);
    else process.stdout.write(statusText(status, terminal));
    if (!options.watch) return 0;
    await sleep(TICK_MS);
  }
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
  if (status.supersededBy !== "") {
    lines.push(paint(31, `superseded by history ${status.supersededBy}`));
  }
  if (status.upstream !== null) lines.push(...upstreamLines(status, status.upstream, nowMs));
  lines.push(`replicas  ${status.links.length}`);
  for (const link of status.links) lines.push(...linkLines(link, paint, nowMs));
  return `${lines.join("\n")}\n`;
}

function upstreamLines(status: NodeStatus, upstream: UpstreamStatus, nowMs: number): string[] {
  const where = escapeText(formatAddress(upstream));
  const lines = [
    `upstream  ${where} ${upstream.state}, applied ${upstream.applied}, lag ${lag(upstream.lagBytes, upstream.staleMs)}`,
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
  const lines = [`  ${where.padEnd(22)} ${state}, lag ${lag(link.lagBytes, link.lagMs)}`];
  const progress = shipLine(link, nowMs);
  if (progress !== "") lines.push(`    ${progress}`);
  return lines;
}

function lag(lagBytes: number, lagMs: number): string {
  return `${lagBytes} bytes, ${lagMs < 0 ? "unknown" : `${Math.round(lagMs)} ms`}`;
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KB`;
  if (count < 1024 * 1024 * 1024) return `${(count / 1024 / 1024).toFixed(1)} MB`;
  return `${(count / 1024 / 1024 / 1024).toFixed(2)} GB`;
}

/** REPL.STATUS of one node; rejects with what went wrong. */
function ask(options: StatusOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(options.target.port, options.target.host);
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (error: Error | null, answer = ""): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === null) resolve(answer);
      else reject(error);
    };
    const timer = setTimeout(() => finish(new Error("no answer")), TIMEOUT_MS);
    socket.on("error", (error) => finish(error));
    socket.on("close", () => finish(new Error("it closed the connection")));
    socket.on("connect", () => {
      if (options.password !== "") socket.write(request("AUTH", options.password));
      socket.write(request("REPL.STATUS"));
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > ANSWER_BYTES_MAX) finish(new Error("it is not a hawser node"));
      // Only the end of a long answer can complete it: small answers, few chunks.
      else readAnswer(Buffer.concat(chunks), options.password !== "", finish);
    });
  });
}

function request(...words: readonly string[]): string {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join("")}`;
}

function readAnswer(
  answer: Buffer,
  withAuth: boolean,
  finish: (error: Error | null, answer?: string) => void,
): void {
  let at = 0;
  if (withAuth) {
    const end = answer.indexOf("\r\n");
    if (end === -1) return;
    const line = answer.toString("utf8", 0, end);
    if (line.startsWith("-")) {
      finish(new Error(line.slice(1)));
      return;
    }
    at = end + 2;
  }
  const end = answer.indexOf("\r\n", at);
  if (end === -1) return;
  const line = answer.toString("utf8", at, end);
  const length = /^\$(\d{1,9})$/.exec(line)?.[1];
  if (length === undefined) {
    const unknown = line.startsWith("-ERR unknown command");
    finish(new Error(line.startsWith("-") && !unknown ? line.slice(1) : "it is not a hawser node"));
  } else if (answer.length >= end + 2 + Number(length)) {
    finish(null, answer.toString("utf8", end + 2, end + 2 + Number(length)));
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
