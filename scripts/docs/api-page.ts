/**
 * docs/reference/api.md: all that src/index.ts exports, from its declarations and their doc comments.
 *
 * Sources are parsed and names followed, nothing is compiled: every exported declaration says its types
 * (isolatedDeclarations). Classes are shown method by method, without what is private; interfaces and types
 * as they are written. The order is that of src/index.ts and of the sources.
 * Owns: the form of the page. Does not own: what is exported, the comments (src).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { ERRORS, type ErrorCode } from "../../src/errors.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const INTRO = `# API

All that \`import ... from "hawser"\` has. Guide: [embedding](../guides/embedding.md). Written by
\`npm run docs\` from the doc comments; the comments of a type are in it.`;

/** One exported name. */
interface Export {
  readonly name: string;
  readonly node: ts.Declaration;
}

/** The page, and what is exported without a word on what it is. */
export interface ApiPage {
  readonly text: string;
  readonly undocumented: readonly string[];
}

export function apiPage(): ApiPage {
  const undocumented: string[] = [];
  const exports = exportsOf(join(ROOT, "src/index.ts"));
  const told = (node: ts.Node, name: string): string => {
    const text = commentOf(node);
    if (text === "") undocumented.push(name);
    return text;
  };
  const sections = SECTIONS.map(([heading, isOne]) => {
    const inIt = exports.filter(({ node }) => isOne(node));
    return inIt.length === 0
      ? []
      : [`## ${heading}`, ...inIt.flatMap((each) => describe(each, told))];
  });
  const text = [INTRO, ...sections.flat(), errorTable()].join("\n\n");
  return { text: `${text}\n`, undocumented };
}

const SECTIONS: readonly (readonly [string, (node: ts.Node) => boolean])[] = [
  ["Classes", ts.isClassDeclaration],
  ["Functions", ts.isFunctionDeclaration],
  ["Values", ts.isVariableDeclaration],
  ["Types", (node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)],
];

// --- what is exported ------------------------------------------------------------------------------

/** In order; what a declaration is when it is reached over several files. */
function exportsOf(path: string): Export[] {
  const program = ts.createProgram([path], {
    noLib: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`docs: ${path} exports nothing`);
  return checker.getExportsOfModule(module).map((symbol) => {
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    const node = (isAlias ? checker.getAliasedSymbol(symbol) : symbol).declarations?.[0];
    if (node === undefined) throw new Error(`docs: ${symbol.name} is exported, and is nowhere`);
    return { name: symbol.name, node };
  });
}

// --- one of them -----------------------------------------------------------------------------------

type Told = (node: ts.Node, name: string) => string;

function describe({ name, node }: Export, told: Told): string[] {
  const head = [`### ${name}`];
  if (ts.isClassDeclaration(node)) {
    const isAbstract = (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Abstract) !== 0;
    const extended = (node.heritageClauses ?? []).map((clause) => ` ${clause.getText()}`).join("");
    const generics = typeParameters(node);
    return [
      ...head,
      code(`${isAbstract ? "abstract " : ""}class ${name}${generics}${extended}`),
      told(node, name),
      ...node.members.filter(isPublic).flatMap((member) => describeMember(name, member, told)),
    ].filter((part) => part !== "");
  }
  if (ts.isFunctionDeclaration(node))
    return [...head, code(`function ${signature(node)}`), told(node, name)].filter(Boolean);
  if (ts.isVariableDeclaration(node))
    return [
      ...head,
      code(`const ${node.getText().split(" = ")[0]}`),
      told(node.parent.parent, name),
    ];
  return [
    ...head,
    told(node, name),
    code(node.getText().replace(/^export (?:declare )?/, "")),
  ].filter(Boolean);
}

function describeMember(of: string, member: ts.ClassElement, told: Told): string[] {
  const name = member.name?.getText() ?? "";
  return [code(signature(member)), told(member, `${of}.${name}`)].filter((part) => part !== "");
}

function isPublic(member: ts.ClassElement): boolean {
  if (ts.isConstructorDeclaration(member) || ts.isClassStaticBlockDeclaration(member)) return false;
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return false;
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (ts.getCombinedModifierFlags(member) & hidden) === 0;
}

/** A declaration without its body, and without words that say how it does it. */
function signature(node: ts.ClassElement | ts.FunctionDeclaration): string {
  const name = node.name?.getText() ?? "";
  const isStatic = (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Static) !== 0;
  const before = isStatic ? "static " : "";
  if (ts.isGetAccessor(node)) return `${before}get ${name}(): ${typeOf(node.type)}`;
  if (ts.isPropertyDeclaration(node)) {
    const isReadonly = (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Readonly) !== 0;
    return `${before}${isReadonly ? "readonly " : ""}${name}: ${typeOf(node.type)}`;
  }
  if (!ts.isMethodDeclaration(node) && !ts.isFunctionDeclaration(node)) return node.getText();
  const parameters = node.parameters.map(parameter).join(", ");
  return `${before}${name}${typeParameters(node)}(${parameters}): ${typeOf(node.type)}`;
}

function typeParameters(node: {
  readonly typeParameters?: ts.NodeArray<ts.TypeParameterDeclaration> | undefined;
}): string {
  const { typeParameters: all } = node;
  return all === undefined ? "" : `<${all.map((each) => each.getText()).join(", ")}>`;
}

/** What has a default may be left out. */
function parameter(node: ts.ParameterDeclaration): string {
  const name = ts.isIdentifier(node.name) ? node.name.text : "options";
  const mayLack = node.questionToken !== undefined || node.initializer !== undefined;
  const rest = node.dotDotDotToken === undefined ? "" : "...";
  return `${rest}${name}${mayLack ? "?" : ""}: ${typeOf(node.type, node.initializer)}`;
}

function typeOf(type: ts.TypeNode | undefined, initializer?: ts.Expression): string {
  if (type !== undefined) return type.getText().replaceAll(/\s+/g, " ");
  if (initializer === undefined) return "unknown";
  if (ts.isNumericLiteral(initializer)) return "number";
  return ts.isStringLiteral(initializer) ? "string" : "boolean";
}

// --- comments --------------------------------------------------------------------------------------

const TAGS: Readonly<Record<string, string>> = {
  throws: "Throws",
  returns: "Returns",
  param: "",
  typeParam: "",
  see: "See",
};

/** The doc comment of a declaration as paragraphs; "" without one. */
function commentOf(node: ts.Node): string {
  const text = node.getSourceFile().text;
  const range = (ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []).at(-1);
  const raw = range === undefined ? "" : text.slice(range.pos, range.end);
  if (!raw.startsWith("/**")) return "";
  const lines = raw
    .slice(3, -2)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  const [words = "", ...tags] = lines
    .join("\n")
    .trim()
    .split(/(?:^|\s)@(?=[a-z]+\b)/i);
  return [words.trim(), ...tags.map(tag)].filter((part) => part !== "").join("\n\n");
}

function tag(text: string): string {
  const [, name = "", rest = ""] = /^(\w+)\s*([\s\S]*)$/.exec(text) ?? [];
  const word = TAGS[name];
  if (word === undefined) throw new Error(`docs: what is @${name}?`);
  const said = rest.trim().replace(/^\{(\w+)\}\s*/, "`$1` ");
  return word === "" ? `\`${said.replace(/^(\w+)\s+/, "$1`: ")}` : `${word}: ${said}`;
}

function code(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``;
}

// --- errors ----------------------------------------------------------------------------------------

function errorTable(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map(
    (name) => `| \`${name}\` | ${ERRORS[name].meaning} |`,
  );
  return ["## Error codes", "", "| code | meaning |", "| --- | --- |", ...rows].join("\n");
}
