/**
 * `hawser verify`: asks a node to compare its replicas with itself, and names keys that differ.
 *
 * Exit codes: 0 all replicas answered and are equal, 1 not, 2 wrong command line.
 * Owns: the questions, the text. Does not own: sums (verifier.ts), the comparison (verify-keys.ts).
 * Tested in: test/unit/daemon/verify-password.test.ts.
 */
import { counted } from "./counted.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonLine, readBucketKeys, readReport, readStatus } from "./answers.ts";
import { wordsOf } from "../errors.ts";
import { ask, type Asked, tellFailure } from "./ask.ts";
import { escapeText } from "../node/logger.ts";
import { formatAddress } from "../net/address.ts";
import type { VerifyOptions } from "./ask-options.ts";
import type { ReplicaVerdict, VerifyReport } from "../node/verifier.ts";
import { type BucketSource, differingKeys, type NamedKey } from "./verify-keys.ts";

/** Keys that are named for one replica, and buckets that are looked into for them. */
const NAMED_MAX = 20;
const BUCKETS_MAX = 20;
/** Keys of these buckets that are compared: as many buckets as have about half of it. */
const BUCKET_KEYS_MAX = 200_000;
/** Another node is asked again so often: over its client port it tells of nothing by itself. */
const POLL_MS = 20;
/** What asking takes beside the time that replicas are given: a sum or a walk of a large state. */
const LARGE_STATE_MS = 60_000;

const WITHHELD =
  "it was asked without the password, because it follows without --repl-password, and anybody could have announced its host";

/** A replica's verdict with the names of its keys that differ. */
export interface NamedVerdict extends ReplicaVerdict {
  readonly keys: readonly NamedKey[];
  /** Why keys are not named, or not all of them; "" when there is nothing to say. */
  readonly note: string;
}

export interface NamedReport extends Omit<VerifyReport, "replicas"> {
  readonly replicas: readonly NamedVerdict[];
}

/** Resolves with the exit code. */
export async function runVerify(options: VerifyOptions): Promise<number> {
  let report: NamedReport;
  let text: string;
  try {
    report = await verify(options);
    text = options.json ? jsonLine(report) : reportText(report);
  } catch (error) {
    tellFailure("verify", options.target, error);
    return 1;
  }
  process.stdout.write(text);
  const { replicas } = report;
  return replicas.length > 0 && replicas.every(({ verdict }) => verdict === "equal") ? 0 : 1;
}

/** Asks the node, then both ends of each replica that differs. */
export async function verify(options: VerifyOptions): Promise<NamedReport> {
  const { timeoutMs } = options;
  const answer = await ask(options, ["REPL.VERIFY", String(timeoutMs)], timeoutMs + LARGE_STATE_MS);
  const report = readReport(answer);
  const replicas: NamedVerdict[] = [];
  for (const replica of report.replicas) replicas.push(await withNames(options, report, replica));
  return { ...report, replicas };
}

async function withNames(
  options: VerifyOptions,
  report: VerifyReport,
  replica: ReplicaVerdict,
): Promise<NamedVerdict> {
  const none = { ...replica, keys: [] };
  if (replica.verdict !== "differs") return { ...none, note: "" };
  if (replica.clientPort === 0) return { ...none, note: "it has no client port to ask" };
  // Why: anybody can follow a replication port that has no password, and announce a host of his own.
  const withheld = options.password !== "" && !replica.authenticated;
  const other: Asked = {
    target: { host: replica.host, port: replica.clientPort },
    password: withheld ? "" : options.password,
  };
  const perBucket = Math.max(report.records, replica.records) / report.bucketCount;
  const fitting = Math.max(1, Math.floor(BUCKET_KEYS_MAX / 2 / Math.max(1, perBucket)));
  const wanted = replica.buckets.slice(0, Math.min(BUCKETS_MAX, fitting));
  const question = [report.seed, String(report.bucketCount), wanted.join(), `${BUCKET_KEYS_MAX}`];
  const timeoutMs = options.timeoutMs + LARGE_STATE_MS;
  try {
    const primary = bucketsOf(options, question, timeoutMs);
    const found = await differingKeys(primary, bucketsOf(other, question, timeoutMs));
    const all = wanted.length === replica.buckets.length && found.length <= NAMED_MAX;
    return { ...replica, keys: found.slice(0, NAMED_MAX), note: noteOf(found.length, all) };
  } catch (error) {
    const why = withheld ? `${WITHHELD}; ` : "";
    return { ...none, note: `no key can be named: ${why}${escapeText(wordsOf(error))}` };
  }
}

function noteOf(found: number, all: boolean): string {
  if (!all) return "there are more";
  return found === 0 ? "no key differs any more: what differed has been written since" : "";
}

/** One node as a source of the buckets' keys. */
function bucketsOf(end: Asked, question: readonly string[], timeoutMs: number): BucketSource {
  return {
    keys: async () => readBucketKeys(await ask(end, ["REPL.BUCKET", ...question], timeoutMs)),
    reach: async (history, offset) => {
      const untilMs = performance.now() + timeoutMs;
      for (;;) {
        const { position } = readStatus(await ask(end, ["REPL.STATUS"], timeoutMs));
        if (position.history === history && position.offset >= offset) return;
        if (performance.now() >= untilMs)
          throw new Error(`${formatAddress(end.target)} does not get to ${offset}`);
        await sleep(POLL_MS);
      }
    },
  };
}

/** The report for people: one line for each replica, and one for each key that differs. */
export function reportText(report: NamedReport): string {
  const { position, replicas } = report;
  const lines = [
    `position  ${position.history} @ ${position.offset}   ${counted(report.records, "record")}   sum ${report.sum}`,
    ...replicas.flatMap((replica) => replicaLines(replica, report.bucketCount)),
  ];
  if (replicas.length === 0) lines.push("no replica is connected: nothing was compared");
  return `${lines.join("\n")}\n`;
}

function replicaLines(replica: NamedVerdict, buckets: number): string[] {
  const { host, clientPort, verdict, keys, note } = replica;
  const where = escapeText(
    clientPort === 0 ? replica.remote : formatAddress({ host, port: clientPort }),
  );
  const head = `replica   ${where.padEnd(22)} ${verdict}`;
  if (verdict === "no_answer") return [head];
  const figures = `${head}   ${counted(replica.records, "record")}   sum ${replica.sum}`;
  if (verdict === "equal") return [figures];
  return [
    `${figures}   ${replica.buckets.length} of ${buckets} key buckets differ`,
    ...keys.map(({ key, difference }) => `  ${difference.padEnd(18)}  ${escapeText(key)}`),
    ...(note === "" ? [] : [`  (${note})`]),
  ];
}
