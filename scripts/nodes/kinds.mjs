/**
 * The kinds of nodes that crash:nodes kills, each opened at its place on disk: the stores behind their adapters,
 * the accounts of the example, a Map, and the built-in store.
 *
 *   put(pairs)     gives keys, which are numbers, values, which are numbers; all or none of a call
 *   count(key)     adds 1 to a key by update(), from what it reads; resolves to the sum
 *   change(...)    the same as put, in a transaction of the state; null where it has none
 *   content()      all entries as texts, sorted, a kind's own texts
 *
 * Owns: what differs between kinds. Does not own: who writes when (member.mjs), kills (series.ts).
 */
import { mapState, keyValueCodec, Primary, Replica, replicate } from "../../dist/index.js";
import accounts from "../../test/tools/accounts-subject.mjs";
import level from "../../test/tools/level-subject.mjs";
import lmdb from "../../test/tools/lmdb-subject.mjs";

const map = {
  make: () => ({ state: mapState(keyValueCodec), end: () => undefined }),
  content: (state) => [...state].map(([key, value]) => `${key}=${Buffer.from(value)}`),
  examples: level.examples,
};

const numberIn = (text) => Number(/\d+$/.exec(String(text ?? 0))[0]);

/** What a key has, 0 when it is not there. */
const READS = {
  level: async ({ db }, key) => numberIn(await db.get(`key ${key}`)),
  lmdb: ({ env }, key) => numberIn(env.get(Buffer.from(`key ${key}`))),
  accounts: ({ db }, key) =>
    db.prepare("SELECT balance FROM accounts WHERE id = ?").pluck().get(`account ${key}`) ?? 0,
  map: (state, key) => {
    const value = state.get(`key ${key}`);
    return value === undefined ? 0 : numberIn(Buffer.from(value));
  },
};

const SUBJECTS = { accounts, level, lmdb, map };

async function overState(kind, place, options) {
  const { examples, content, make } = SUBJECTS[kind];
  const { state, end } = await make(place);
  const node = await replicate(state, options);
  const written = (pairs) => pairs.map(([key, value]) => examples.write(key, value));
  return {
    node,
    port: node.port,
    put: (pairs) => node.write(written(pairs)),
    remove: (key) => node.write(examples.remove(key)),
    count: (key) =>
      node.update(async (log) => {
        const sum = (await READS[kind](state, key)) + 1;
        log(examples.write(key, sum));
        return sum;
      }),
    change:
      examples.transacted === undefined
        ? null
        : (pairs) =>
            node.transact(async (tx, log) => {
              for (const [key, value] of pairs) await examples.transacted(tx, key, value);
              for (const record of written(pairs)) log(record);
            }),
    content: async () => [...(await content(state))].map(String).sort(),
    close: async () => {
      await node.close();
      await end();
    },
  };
}

async function builtIn({ listen, of, ...rest }) {
  const options = { replPort: listen, ...rest };
  const node = await (of === undefined ? Primary.open(options) : Replica.open({ of, ...options }));
  const sets = (pairs) =>
    pairs.map(([key, value]) => ({ type: "set", key: `key ${key}`, value: `value ${value}` }));
  return {
    node,
    port: node.replPort,
    put: async (pairs) => node.batch(sets(pairs)),
    remove: async (key) => void node.delete(`key ${key}`),
    count: async (key) => node.increment(`sum ${key}`),
    change: null,
    async content() {
      const all = [];
      for await (const [key, value] of node.entries({ encoding: "utf8" })) {
        all.push(`${key.replace("sum", "key")}=${value}`);
      }
      return all.sort();
    },
    close: () => node.close(),
  };
}

/** Opens a node of `kind` at `place`; `options` are those of replicate(). */
export async function openKind(kind, place, options) {
  return kind === "arena" ? builtIn(options) : overState(kind, place, options);
}
