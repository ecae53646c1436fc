/**
 * `hawser members`: who confirms writes in synchronous mode, and changes of that, which it waits for.
 *
 * Exit codes: 0 shown or changed, 1 not, or not confirmed yet, 2 wrong command line.
 * Owns: the questions, the text. Does not own: what may change (node/synchronous.ts).
 * Tested in: test/e2e/members.test.ts, test/unit/daemon/members.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { formatAddress } from "../net/address.ts";
import type { MemberStatus, RuleStatus, SyncStatus } from "../node/member-status.ts";
import { escapeText } from "../node/logger.ts";
import { jsonLine, readMembers } from "./answers.ts";
import { ask, tellFailure } from "./ask.ts";
import type { MembersOptions } from "./ask-options.ts";

const POLL_MS = 50;
const ANSWER_MS = 5_000;

/** Resolves with the exit code. */
export async function runMembers(options: MembersOptions): Promise<number> {
  try {
    const status = await changeMembers(options);
    process.stdout.write(options.json ? jsonLine(status) : membersText(status));
    return 0;
  } catch (error) {
    tellFailure("members", options.target, error);
    return 1;
  }
}

async function changeMembers(options: MembersOptions): Promise<SyncStatus> {
  const { change, force } = options;
  if (change === null && !force) return membersOf(options);
  if (change !== null) {
    await ask(options, ["REPL.MEMBERS", change.kind.toUpperCase(), change.id], ANSWER_MS);
    const status = await settled(options);
    if (isSettled(status, options)) return status;
    if (!force)
      throw new Error(
        "the change is under way, and the members that it needs have not confirmed it yet (hawser members shows them; --force asks those of before no more)",
      );
  }
  await ask(options, ["REPL.MEMBERS", "FORCE"], ANSWER_MS);
  const status = await settled(options);
  if (isSettled(status, options)) return status;
  throw new Error("the members of before are asked no more as soon as its log is at rest");
}

async function settled(options: MembersOptions): Promise<SyncStatus> {
  const untilMs = performance.now() + options.timeoutMs;
  let status = await membersOf(options);
  while (!isSettled(status, options) && performance.now() < untilMs) {
    await sleep(POLL_MS);
    status = await membersOf(options);
  }
  return status;
}

/** What was asked for is in the log, and counts alone. */
function isSettled({ change, members }: SyncStatus, options: MembersOptions): boolean {
  if (change !== null) return false;
  if (options.change === null) return true;
  const { kind, id } = options.change;
  return members.some(({ storeId }) => storeId === id) === (kind === "add");
}

async function membersOf(options: MembersOptions): Promise<SyncStatus> {
  return readMembers(await ask(options, ["REPL.MEMBERS"], ANSWER_MS));
}

/** The whole page. */
export function membersText(status: SyncStatus): string {
  const { copies, level, leads, confirmed, goodMembers, members, change } = status;
  const lines = [
    `sync      ${copies} of ${members.length} members besides the leader, level ${level}`,
    leads
      ? `confirmed ${confirmed < 0 ? "nothing yet" : `up to ${confirmed}`}, ${goodMembers} good besides this node`
      : "confirmed unknown: this node does not lead",
  ];
  if (change !== null)
    lines.push(
      `change    under way, confirmed by both: from ${ruleText(change.from)}`,
      `          to ${ruleText(change.to)}`,
    );
  return `${[...lines, ...members.map(memberText)].join("\n")}\n`;
}

function ruleText(rule: RuleStatus | null): string {
  if (rule === null) return "off";
  const { copies, level, members } = rule;
  return `${copies} at level ${level} of ${members.join(" ")}`;
}

function memberText(member: MemberStatus): string {
  const { storeId, linked, complete, good, confirmed, lagBytes, replacedBy } = member;
  const where = whereText(member);
  const words = [
    linked ? "linked" : where === "-" ? "not linked" : "not linked, was last there",
    complete ? "complete" : "incomplete",
    good ? "good" : "not good",
    confirmed < 0 ? "nothing known" : `confirmed ${confirmed}, ${lagBytes} bytes behind`,
  ];
  const lines = [`  ${storeId}  ${escapeText(where).padEnd(22)} ${words.join(", ")}`];
  if (replacedBy !== "")
    lines.push(
      `    another store is there now, ${replacedBy}: without --dir a replica is another one after each start; add that one, remove this one`,
    );
  return lines.join("\n");
}

/** Of one that is known by its replication port alone, that. */
function whereText({ host, clientPort, replPort }: MemberStatus): string {
  if (clientPort !== 0) return formatAddress({ host, port: clientPort });
  return replPort === 0 ? "-" : formatAddress({ host, port: replPort });
}
