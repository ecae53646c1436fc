/** A SQLite file: better-sqlite3 and the accounts of the example, in WAL mode as that sets it. */
import { crc32 } from "node:zlib";
import type { ReplicatedState } from "../../src/index.ts";
import type { OpenSubject } from "./subject.ts";

interface Statement<A extends unknown[]> {
  run(...given: A): unknown;
}

/** As much of them as is used here. */
interface Accounts extends ReplicatedState {
  readonly set: Statement<[id: string, balance: number]>;
  readonly keep: Statement<[mark: Buffer]>;
  readonly db: { transaction<A>(run: (given: A) => void): (given: A) => void };
}

interface AccountsSubject {
  make(place: string): { readonly state: Accounts; end(): void };
  readonly examples: { write(account: number, balance: number): Buffer };
}

const { default: subject } = (await import(
  new URL("../../test/tools/accounts-subject.mjs", import.meta.url).href
)) as { readonly default: AccountsSubject };

/** Of a record, before the account. */
const HEAD_BYTES = 9;
/** What `least` has of a log and a mark. */
const log = Buffer.alloc(64 * 1024);
const mark = Buffer.alloc(73);

/** An account has a balance, whatever the value is. */
const BALANCE = 1_000_000;

export function accountRecord(account: number): Buffer {
  return subject.examples.write(account, BALANCE);
}

export function sqliteAccounts(dir: string): OpenSubject {
  const made = subject.make(dir);
  const { state } = made;
  const all = state.db.transaction((entries: readonly (readonly [string, string])[]) => {
    for (const [key] of entries) state.set.run(`plain ${numberIn(key)}`, BALANCE);
  });
  const least = state.db.transaction((entries: readonly (readonly [string, string])[]) => {
    let end = 0;
    for (const [key] of entries) {
      const at = end;
      const record = accountRecord(numberIn(key));
      log.set(record, at);
      end += record.length;
      state.set.run(log.toString("utf8", at + HEAD_BYTES, end), log.readDoubleLE(at + 1));
    }
    mark.writeUInt32LE(crc32(log.subarray(0, end)));
    state.keep.run(mark);
  });
  return {
    state,
    plain: (entries) => all(entries),
    least: (entries) => least(entries),
    through: (node, entries) => node.write(entries.map(([key]) => accountRecord(numberIn(key)))),
    close: () => made.end(),
  };
}

const numberIn = (key: string): number => Number(/\d+/.exec(key)![0]);
