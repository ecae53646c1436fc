/** A subject whose state never opens. */
export default {
  make: () => new Promise(() => setInterval(() => undefined, 1000)),
  examples: { write: () => new Uint8Array(1) },
};
