/**
 * "1 replica", "2 replicas": how many of something, for people.
 *
 * Owns: the words. Does not own: what is counted.
 */

/** @param thing one of them; more have an s */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}
