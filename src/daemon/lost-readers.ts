/**
 * Standard output and error whose reader went away: a log collector that died, `hawser status | head`.
 *
 * Node reports each write as an error of the stream, and an error nobody listens to ends the process.
 * Owns: what the process does about it. Does not own: what is written.
 * Tested in: test/e2e/lost-readers.test.ts.
 */

/** Lines that nobody reads are lost, and nothing else. */
export function surviveLostReaders(): void {
  process.stdout.on("error", ignore);
  process.stderr.on("error", ignore);
}

/** For what goes on printing until it is stopped: ends with `code` when nobody reads it any more. */
export function endWithoutReader(code: number): void {
  process.stdout.on("error", () => process.exit(code));
}

function ignore(): void {
  // The stream is told about the next write, too.
}
