/**
 * Sizes of slots: 8-byte steps up to 128 bytes, then eight steps for each doubling, so that a slot
 * is never more than an eighth larger than its record.
 *
 *   class   0   1   2  ...  14  | 15   16  ...  22  | 23   24  ...  30  | ...
 *   bytes  16  24  32  ... 128  | 144  160 ... 256  | 288  320 ... 512  | ...
 *
 * Owns: the table. Does not own: which classes share arena segments (none do, arena.ts).
 * Tested in: test/unit/store/layout.test.ts.
 */

const STEP_MAX = 128;
const STEP_CLASSES = (STEP_MAX - 16) / 8 + 1;

/** The smallest class that holds `bytes`. */
export function classOf(bytes: number): number {
  if (bytes <= STEP_MAX) return bytes <= 16 ? 0 : ((bytes + 7) >>> 3) - 2;
  // 2^power < bytes <= 2^(power + 1), cut into eight steps: 129 => power 7, step 16, class 15.
  const power = 31 - Math.clz32(bytes - 1);
  const step = power - 3;
  return STEP_CLASSES + ((power - 7) << 3) + ((bytes - 1 - (1 << power)) >>> step);
}

/** Bytes of the slots of a class. */
export function classBytes(index: number): number {
  if (index < STEP_CLASSES) return (index + 2) * 8;
  const power = 7 + ((index - STEP_CLASSES) >>> 3);
  return (1 << power) + ((((index - STEP_CLASSES) & 7) + 1) << (power - 3));
}
