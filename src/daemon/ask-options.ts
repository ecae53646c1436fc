/**
 * The command lines of `hawser status` and `hawser verify`: commands that ask a running node.
 *
 * Owns: their flags. Does not own: options of nodes (options.ts).
 * Tested in: test/unit/fuzz/answers.test.ts.
 */
import { didYouMean } from "../node/nearest.ts";
import { variableOf } from "../node/settings.ts";
import { readAddress, readPort, readTime, UsageError } from "../node/option-values.ts";
import type { Address } from "../net/address.ts";

export interface StatusOptions {
  readonly target: Address;
  readonly watch: boolean;
  /** The memory of events instead of the status. */
  readonly events: boolean;
  readonly json: boolean;
  readonly password: string;
}

export interface VerifyOptions {
  readonly target: Address;
  readonly json: boolean;
  readonly password: string;
  /** How long replicas have to answer. */
  readonly timeoutMs: number;
}

type Variables = Readonly<Record<string, string | undefined>>;

const VERIFY_TIMEOUT = "30s";

export function readStatusOptions(argv: readonly string[], variables: Variables): StatusOptions {
  const { target, switches, texts } = readWords(
    argv,
    ["--watch", "--json", "--events"],
    ["--password"],
  );
  if (switches.has("--events") && switches.has("--watch"))
    throw new UsageError("--events: not together with --watch");
  return {
    target,
    watch: switches.has("--watch"),
    events: switches.has("--events"),
    json: switches.has("--json"),
    password: texts.get("--password") ?? passwordOf(variables),
  };
}

export function readVerifyOptions(argv: readonly string[], variables: Variables): VerifyOptions {
  const { target, switches, texts } = readWords(argv, ["--json"], ["--password", "--timeout"]);
  const timeout = texts.get("--timeout") ?? VERIFY_TIMEOUT;
  try {
    const password = texts.get("--password") ?? passwordOf(variables);
    return { target, json: switches.has("--json"), password, timeoutMs: readTime(timeout) };
  } catch (error) {
    throw new UsageError(`--timeout: "${timeout}" ${messageOf(error)}`);
  }
}

function passwordOf(variables: Variables): string {
  return variables[variableOf("requirepass")] ?? "";
}

/** [HOST:PORT], switches that stand alone, and flags with a text. */
function readWords(
  argv: readonly string[],
  switchNames: readonly string[],
  textNames: readonly string[],
): {
  readonly target: Address;
  readonly switches: ReadonlySet<string>;
  readonly texts: ReadonlyMap<string, string>;
} {
  let target: Address = { host: "127.0.0.1", port: 6380 };
  const switches = new Set<string>();
  const texts = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const equals = word.indexOf("=");
    const name = word.startsWith("--") && equals >= 0 ? word.slice(0, equals) : word;
    if (textNames.includes(name)) {
      const text = name === word ? argv[++i] : word.slice(equals + 1);
      if (text === undefined) throw new UsageError(`${name}: a value is missing`);
      texts.set(name, text);
    } else if (switchNames.includes(word)) switches.add(word);
    else if (word.startsWith("--")) {
      const allowed = [...switchNames, ...textNames];
      const meant = didYouMean(name, allowed);
      throw new UsageError(`unknown flag ${word}${meant}; allowed: ${allowed.join(" ")}`);
    } else target = readTarget(word);
  }
  return { target, switches, texts };
}

function readTarget(word: string): Address {
  if (/^\d{1,5}$/.test(word)) return { host: "127.0.0.1", port: readPort(word) };
  try {
    return readAddress(word);
  } catch (error) {
    throw new UsageError(`"${word}": ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
