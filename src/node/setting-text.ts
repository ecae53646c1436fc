/**
 * One setting's value from a text and back: as a flag, a variable, the file and CONFIG write it.
 *
 * What `showSetting` writes `readSetting` reads as the same value.
 * Owns: kinds, and ranges at work. Does not own: which settings exist (settings.ts), syntax
 * (option-values.ts).
 * Tested in: test/unit/node/settings.test.ts.
 */
import {
  formatTime,
  readAddress,
  readAddresses,
  readChoice,
  readCount,
  readHost,
  readPort,
  readSize,
  readSwitch,
  readTime,
  UsageError,
} from "./option-values.ts";
import { formatAddress, type Address } from "../net/address.ts";
import type { Setting, SettingKind } from "./settings.ts";

export type SettingValue = number | string | boolean | Address | null | readonly Address[];

/** What reading a value needs of its setting: of a node's, or of a flag that is no setting of a node. */
export type ReadAs = Pick<Setting, "kind" | "choices" | "range">;

const READERS: Readonly<Record<SettingKind, (text: string, setting: ReadAs) => SettingValue>> = {
  port: readPort,
  size: readSize,
  count: readCount,
  time: readTime,
  text: (text) => text,
  host: readHost,
  secret: (text) => text,
  switch: readSwitch,
  choice: (text, setting) => readChoice(text, setting.choices ?? []),
  address: readAddress,
  addresses: readAddresses,
};

/** @throws {UsageError} "expected ..." when the text is no such value, or when it is out of range */
export function readSetting(setting: ReadAs, text: string): SettingValue {
  const value = READERS[setting.kind](text, setting);
  if (typeof value === "number" && isOutOfRange(setting, value))
    throw new OutOfRange(value, `expected ${setting.range}`);
  return value;
}

/** A value that could be written, but that is not allowed. */
export class OutOfRange extends UsageError {
  readonly value: number;
  constructor(value: number, expected: string) {
    super(expected);
    this.value = value;
  }
}

/** Whether `value` (bytes, ms, a count) is not allowed. */
export function isOutOfRange(setting: ReadAs, value: number): boolean {
  const range = rangeOf(setting);
  if (range === null || (range.orZero && value === 0)) return false;
  return value < range.min || value > range.max;
}

/** Bounds in bytes, in ms or as a count. */
export interface Range {
  readonly min: number;
  readonly max: number;
  /** 0 has a meaning of its own. */
  readonly orZero: boolean;
}

export function rangeOf(setting: ReadAs): Range | null {
  const match = /^(0, or )?(\w+) to (\w+)$/.exec(setting.range ?? "");
  if (match === null) return null;
  // Only numbers have ranges.
  const bound = (text = ""): number => READERS[setting.kind](text, setting) as number;
  return { min: bound(match[2]), max: bound(match[3]), orZero: match[1] !== undefined };
}

/** As it would be written, but for a secret; "" is unset. */
export function showSetting(kind: SettingKind, value: SettingValue): string {
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" && value < 0) return "";
  if (typeof value === "number") return kind === "time" ? formatTime(value) : String(value);
  if (typeof value === "string") return value;
  return "port" in value ? formatAddress(value) : value.map(formatAddress).join(",");
}
