/** A SQLite file: better-sqlite3 and the accounts of the example, in WAL mode as that sets it. */
import type { ReplicatedState } from "../../src/index.ts";
import type { OpenSubject } from "./subject.ts";

interface Statement {
  run(id: string, balance: number): unknown;
}

/** As much of them as is used here. */
interface Accounts extends ReplicatedState {
  readonly set: Statement;
  readonly db: { transaction<A>(run: (given: A) => void): (given: A) => void };
}

interface AccountsSubject {
  make(place: string): { readonly state: Accounts; end(): void };
  readonly examples: { write(account: number, balance: number): Buffer };
}

const { default: subject } = (await import(
  new URL("../../test/tools/accounts-subject.mjs", import.meta.url).href
)) as { readonly default: AccountsSubject };

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
  return {
    state,
    plain: (entries) => all(entries),
    through: (node, entries) => node.write(entries.map(([key]) => accountRecord(numberIn(key)))),
    close: () => made.end(),
  };
}

const numberIn = (key: string): number => Number(/\d+/.exec(key)![0]);
