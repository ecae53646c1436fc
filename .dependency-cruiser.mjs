/**
 * The house's layers (docs/ARCHITECTURE.md, "Layers"), types included: a folder imports only what is
 * listed for it, and no files import each other in a circle. The state is reached over its seam alone.
 */
const MAY_IMPORT = {
  net: [],
  wire: [],
  log: ["wire"],
  store: ["wire"],
  primary: ["wire", "log", "store/state.ts"],
  replica: ["wire", "log", "store/state.ts"],
  bridge: ["wire", "log", "store/state.ts", "store/hash.ts"],
  adapters: ["bridge/seam.ts"],
  conformance: ["bridge/seam.ts"],
  node: ["net", "wire", "log", "store", "primary", "replica", "bridge"],
  resp: ["net", "wire", "log", "store", "primary", "replica", "node"],
  embed: ["net", "wire", "log", "store", "primary", "replica", "bridge", "node"],
  daemon: ["net", "wire", "log", "store", "primary", "replica", "node", "resp"],
};

/** Single files that a folder may import beside its layers: what any state must be able to do. */
const AND_FILES = {
  primary: ["store/state"],
  replica: ["store/state"],
  bridge: ["store/state", "store/hash"],
  adapters: ["bridge/seam"],
  conformance: ["bridge/seam"],
};

const layers = Object.entries(MAY_IMPORT).map(([folder, others]) => {
  const files = ["errors", "limits", "threads", "version", ...(AND_FILES[folder] ?? [])];
  return {
    name: `layer-${folder}`,
    comment: `src/${folder} may import ${[...files, ...others].join(", ")}`,
    severity: "error",
    from: { path: `^src/${folder}/` },
    to: {
      path: "^src/",
      pathNot: `^src/(${[folder, ...others].join("|")})/|^src/(${files.join("|")})\\.ts$`,
    },
  };
});

/** Files of a node that are about the built-in store: they wire it, or read and write its keys. */
const STORE_USERS = "^src/node/(node|api|keyspace|bucket)\\.ts$";

export default {
  forbidden: [
    ...layers,
    {
      name: "seam-alone",
      comment: "src/store/state.ts is interfaces: it knows no state",
      severity: "error",
      from: { path: "^src/store/state\\.ts$" },
      to: { path: "^src/", pathNot: "^src/wire/|^src/(errors|limits)\\.ts$" },
    },
    {
      name: "state-seam",
      comment:
        "src/node knows a state by src/store/state.ts alone, but for the files about its keys",
      severity: "error",
      from: { path: "^src/node/", pathNot: STORE_USERS },
      to: { path: "^src/store/", pathNot: "^src/store/state\\.ts$" },
    },
    {
      name: "sockets-in-net",
      comment: "only src/net imports node:net and what is built on it",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/net/" },
      to: { dependencyTypes: ["core"], path: "^(node:)?(net|tls|https?|http2|dgram)$" },
    },
    {
      name: "no-circle",
      comment: "files that import each other cannot be understood or tested alone",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts"] },
    doNotFollow: { path: "node_modules" },
  },
};
