// Preloaded into a node: the first three worker threads cannot be started, as when the system has none.
const threads = require("node:worker_threads");
const { syncBuiltinESMExports } = require("node:module");

const { Worker } = threads;
let refused = 0;
threads.Worker = class extends Worker {
  constructor(...given) {
    if (refused++ < 3) {
      const error = new Error("Worker initialization failure: EAGAIN");
      error.code = "ERR_WORKER_INIT_FAILED";
      throw error;
    }
    super(...given);
  }
};
syncBuiltinESMExports();
