/**
 * What a row of the table of settings says, and the kinds and profiles that it may name.
 *
 * Owns: types. Does not own: the table (settings.ts), texts to values (setting-text.ts).
 * Tested in: test/unit/node/settings.test.ts.
 */
import type { Address } from "../net/address.ts";

/** What kinds of settings there are, and the values they have; a choice has one of its choices. */
export interface KindValues {
  port: number;
  size: number;
  count: number;
  time: number;
  text: string;
  host: string;
  secret: string;
  switch: boolean;
  choice: string;
  address: Address | null;
  addresses: readonly Address[];
}

export type SettingKind = keyof KindValues;

/** The value of a row of this type. */
export type ValueOf<R> = R extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : R extends { readonly kind: infer Kind extends SettingKind }
    ? KindValues[Kind]
    : never;

export interface Row {
  /** In the typed options, and in an embedder's: with its unit, bytes or ms. */
  readonly key: string;
  readonly kind: SettingKind;
  /** "" is unset. */
  readonly fallback: string;
  /** Where the profile says otherwise; `fallback` is that of lan. */
  readonly profiles?: Readonly<Record<Exclude<Profile, "lan">, string>>;
  readonly choices?: readonly string[];
  /** "16kb to 1gb" or "0, or 16kb to 1gb": 0 then has a meaning of its own. Nobody may leave it. */
  readonly range?: string;
  readonly of: "both" | "primary" | "replica";
  /** What redis calls it, where that is another name: CONFIG knows it by both. */
  readonly redis?: readonly string[];
  /** CONFIG SET may change it. */
  readonly live?: true;
  /** An embedder may give it to a node of this kind. */
  readonly embedded?: "both" | "replica";
  readonly help: string;
}

/** One word for what a network is like: several defaults. Every value can be set alone. */
export type Profile = "lan" | "wan" | "edge";

/** The first is that of the defaults. */
export const PROFILES: readonly Profile[] = ["lan", "wan", "edge"];

/** What an embedder writes for a value: an address as a text. */
export type Written<Value> = Value extends Address | null | readonly Address[] ? string : Value;
