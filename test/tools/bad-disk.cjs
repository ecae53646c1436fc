/**
 * Preloaded into a node: the disk fails as a test says, by a file next to the data directory whose text is
 * "full" (writes find no room), "sync" (syncs of files fail), "slow" (a sync takes 200 ms) or empty.
 */
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");

const { BAD_DISK } = process.env;
const { writevSync, fdatasyncSync, readFileSync } = fs;

function mood() {
  return readFileSync(BAD_DISK, "utf8");
}

function failure(code, call) {
  return Object.assign(new Error(`${code}: on purpose, ${call}`), { code });
}

fs.writevSync = (...given) => {
  if (mood() === "full") throw failure("ENOSPC", "write");
  return writevSync(...given);
};
fs.fdatasyncSync = (...given) => {
  if (mood() === "sync") throw failure("EIO", "fdatasync");
  if (mood() === "slow") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  fdatasyncSync(...given);
};
syncBuiltinESMExports();
