/** Preloaded by a test: the wall clock of the process is off by CLOCK_OFF_MS. */
const offMs = Number(process.env.CLOCK_OFF_MS);
const { now } = Date;

Date.now = () => now() + offMs;
