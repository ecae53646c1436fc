/**
 * The command line: `hawser primary|replica|status|verify|checkpoint|switchover|members|backup|inspect|restore|help|version`.
 *
 * Owns: which command was asked for. Does not own: options of nodes (node/options.ts), of commands that
 * ask a node (ask-options.ts) or work on files (offline-options.ts), the help texts (help.ts).
 * Tested in: test/unit/fuzz/options.test.ts, test/unit/node/profiles.test.ts.
 */
import { readNodeOptions, type NodeOptions, type Variables } from "../node/options.ts";
import { UsageError } from "../node/option-values.ts";
import {
  readCheckpointOptions,
  readMembersOptions,
  readStatusOptions,
  readSwitchoverOptions,
  readVerifyOptions,
  type CheckpointOptions,
  type MembersOptions,
  type StatusOptions,
  type SwitchoverOptions,
  type VerifyOptions,
} from "./ask-options.ts";
import {
  readBackupOptions,
  readInspectOptions,
  readRestoreOptions,
  type BackupOptions,
  type InspectOptions,
  type RestoreOptions,
} from "./offline-options.ts";

export type CommandLine =
  | { readonly kind: "node"; readonly options: NodeOptions; readonly warnings: readonly string[] }
  | { readonly kind: "status"; readonly options: StatusOptions }
  | { readonly kind: "verify"; readonly options: VerifyOptions }
  | { readonly kind: "checkpoint"; readonly options: CheckpointOptions }
  | { readonly kind: "switchover"; readonly options: SwitchoverOptions }
  | { readonly kind: "members"; readonly options: MembersOptions }
  | { readonly kind: "backup"; readonly options: BackupOptions }
  | { readonly kind: "inspect"; readonly options: InspectOptions }
  | { readonly kind: "restore"; readonly options: RestoreOptions }
  | { readonly kind: "help"; readonly topic: HelpTopic }
  | { readonly kind: "version" };

export type HelpTopic =
  | ""
  | "primary"
  | "replica"
  | "status"
  | "verify"
  | "checkpoint"
  | "switchover"
  | "members"
  | "backup"
  | "inspect"
  | "restore";

/**
 * Reads a command line.
 * @param argv     without node and script
 * @param readFile text of the --config file; throws when it cannot be read
 * @throws {UsageError} with a message for the operator
 */
export function readCommandLine(
  argv: readonly string[],
  variables: Variables,
  readFile: (path: string) => string,
): CommandLine {
  const [command = "help", ...rest] = argv;
  const wantsHelp = rest.includes("--help") || rest.includes("-h");
  switch (command) {
    case "primary":
    case "replica":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "node", ...readNodeOptions(command, rest, variables, readFile) };
    case "status":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "status", options: readStatusOptions(rest, variables) };
    case "verify":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "verify", options: readVerifyOptions(rest, variables) };
    case "checkpoint":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "checkpoint", options: readCheckpointOptions(rest, variables) };
    case "switchover":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "switchover", options: readSwitchoverOptions(rest, variables) };
    case "members":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "members", options: readMembersOptions(rest, variables) };
    case "backup":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "backup", options: readBackupOptions(rest, variables) };
    case "inspect":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "inspect", options: readInspectOptions(rest) };
    case "restore":
      return wantsHelp
        ? { kind: "help", topic: command }
        : { kind: "restore", options: readRestoreOptions(rest) };
    case "help":
    case "--help":
    case "-h":
      return { kind: "help", topic: helpTopic(rest[0]) };
    case "version":
    case "--version":
    case "-v":
      return { kind: "version" };
    default:
      throw new UsageError(
        `unknown command "${command}": expected primary, replica, status, verify, checkpoint, switchover, members, backup, inspect, restore, help or version`,
      );
  }
}

const HELP_TOPICS: readonly HelpTopic[] = [
  "primary",
  "replica",
  "status",
  "verify",
  "checkpoint",
  "switchover",
  "members",
  "backup",
  "inspect",
  "restore",
];

function helpTopic(word: string | undefined): HelpTopic {
  return HELP_TOPICS.find((topic) => topic === word) ?? "";
}
