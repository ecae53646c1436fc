/**
 * `hawser switchover`: asks a primary to hand over to one of its replicas, and waits until that leads.
 *
 * Exit codes: 0 the replica leads, 1 not, or not yet, 2 wrong command line.
 * Owns: the questions, the text. Does not own: the failover (node/failover.ts).
 * Tested in: test/e2e/failover.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { formatAddress } from "../net/address.ts";
import type { NodeStatus } from "../node/api.ts";
import { jsonLine, readEvents, readStatus } from "./answers.ts";
import { ask, tellFailure } from "./ask.ts";
import type { SwitchoverOptions } from "./ask-options.ts";

/** The node is asked again so often: over its client port it tells of nothing by itself. */
const POLL_MS = 10;
/** Once it has resigned the replica leads within a moment, or is not heard of. */
const TAKEN_MS = 30_000;
const ANSWER_MS = 5_000;

export interface SwitchoverReport {
  readonly from: string;
  readonly to: string;
  /** Where the log of before ended. */
  readonly offset: number;
  readonly ms: number;
}

/** Resolves with the exit code. */
export async function runSwitchover(options: SwitchoverOptions): Promise<number> {
  try {
    const report = await switchOver(options);
    process.stdout.write(options.json ? jsonLine(report) : reportText(report));
    return 0;
  } catch (error) {
    tellFailure("switchover", options.target, error);
    return 1;
  }
}

/** @throws Error with what went wrong, in words for an operator */
export async function switchOver(options: SwitchoverOptions): Promise<SwitchoverReport> {
  const { target, to, force, timeoutMs } = options;
  const began = performance.now();
  const words = ["FAILOVER", "TO", to.host, String(to.port), ...(force ? ["FORCE"] : [])];
  await ask(options, [...words, "TIMEOUT", String(Math.ceil(timeoutMs))], ANSWER_MS);
  const untilMs = began + timeoutMs + TAKEN_MS;
  let status = await statusOf(options);
  while (status.failover !== "no-failover" && performance.now() < untilMs) {
    await sleep(POLL_MS);
    status = await statusOf(options);
  }
  if (status.failover === "failover-in-progress")
    throw new Error(
      `it has resigned for ${formatAddress(to)}, which does not lead yet: it will as soon as it is heard of (FAILOVER ABORT asks it to let this node lead again)`,
    );
  if (status.role === "primary") throw new Error(await whyResumed(options));
  return {
    from: formatAddress(target),
    to: formatAddress(to),
    offset: status.position.offset,
    ms: Math.round(performance.now() - began),
  };
}

async function statusOf(options: SwitchoverOptions): Promise<NodeStatus> {
  return readStatus(await ask(options, ["REPL.STATUS"], ANSWER_MS));
}

async function whyResumed(options: SwitchoverOptions): Promise<string> {
  const events = readEvents(await ask(options, ["REPL.EVENTS"], ANSWER_MS));
  const last = events.findLast(({ event }) => event === "failover_resumed");
  return `it goes on as the primary: ${String(last?.fields["why"] ?? "it does not say why")}`;
}

function reportText({ from, to, offset, ms }: SwitchoverReport): string {
  return `switchover  ${to} leads from ${offset} on   ${from} follows it   ${ms} ms\n`;
}
