// The serializer worker, which exits at jobs of the first snapshot (epoch 2) and serves later ones.
import { parentPort } from "node:worker_threads";

const on = parentPort.on.bind(parentPort);
parentPort.on = (name, listener) =>
  on(name, (message) => {
    const epoch = message.ring === undefined ? 0 : new Int32Array(message.ring.control)[3];
    if (epoch === 2) process.exit(7);
    listener(message);
  });
await import("../../../dist/worker.js");
