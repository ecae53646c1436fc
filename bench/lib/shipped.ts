/**
 * The modules as they are shipped: compiled, from dist/, with the types of the sources they come
 * from. A bench of single functions measures these; a loader that changes sources on the way would
 * be measured too.
 */
interface Modules {
  readonly index: typeof import("../../src/index.ts");
  readonly "adapters/key-value-records": typeof import("../../src/adapters/key-value-records.ts");
  readonly "adapters/level": typeof import("../../src/adapters/level.ts");
  readonly "adapters/lmdb": typeof import("../../src/adapters/lmdb.ts");
  readonly "adapters/map": typeof import("../../src/adapters/map.ts");
  readonly "bridge/mark": typeof import("../../src/bridge/mark.ts");
  readonly "bridge/records": typeof import("../../src/bridge/records.ts");
  readonly "node/keyspace": typeof import("../../src/node/keyspace.ts");
  readonly "resp/reply-writer": typeof import("../../src/resp/reply-writer.ts");
  readonly "resp/parser": typeof import("../../src/resp/parser.ts");
  readonly "embed/open": typeof import("../../src/embed/open.ts");
  readonly "log/backlog": typeof import("../../src/log/backlog.ts");
  readonly "node/turn": typeof import("../../src/node/turn.ts");
  readonly "primary/feeder": typeof import("../../src/primary/feeder.ts");
  readonly "primary/options": typeof import("../../src/primary/options.ts");
  readonly "replica/ack-clock": typeof import("../../src/replica/ack-clock.ts");
  readonly "replica/apply": typeof import("../../src/replica/apply.ts");
  readonly "replica/options": typeof import("../../src/replica/options.ts");
  readonly "store/copy": typeof import("../../src/store/copy.ts");
  readonly "store/pool": typeof import("../../src/store/pool.ts");
  readonly "store/record": typeof import("../../src/store/record.ts");
  readonly "store/store": typeof import("../../src/store/store.ts");
  readonly "wire/codec": typeof import("../../src/wire/codec.ts");
  readonly "wire/decoder": typeof import("../../src/wire/decoder.ts");
  readonly "wire/frame": typeof import("../../src/wire/frame.ts");
}

export async function shipped<K extends keyof Modules>(name: K): Promise<Modules[K]> {
  const url = new URL(`../../dist/${name}.js`, import.meta.url);
  return (await import(url.href)) as Modules[K];
}
