// What require("hawser") finds: beside each entry of package.json's exports with a "require" a file that
// requires the module itself, so that there is one copy of everything, and its types for CommonJS.
//
// Why not the module alone: require() takes it, but the types of a module cannot be imported from CommonJS
// under TypeScript's node16, and Node 20 warns of a require() of a module outside node_modules.
import { existsSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";

/** @returns the files that there are now, from dist */
export function writeCommonJs(root, manifest) {
  const stems = Object.values(manifest.exports)
    .filter((target) => target.require !== undefined)
    .map((target) => target.default.default.replace(/^\.\/dist\/|\.js$/g, ""));
  const entries = stems.map((stem) => join(root, "dist", stem));
  const stale = entries.filter((entry) => !isNewer(`${entry}.d.cts`, `${entry}.d.ts`));
  if (stale.length > 0) {
    const program = ts.createProgram(
      stale.map((entry) => `${entry}.d.ts`),
      { module: ts.ModuleKind.NodeNext, noLib: true, types: [], allowImportingTsExtensions: true },
    );
    for (const entry of stale) {
      const module = `./${basename(entry)}.js`;
      writeFileSync(`${entry}.cjs`, `"use strict";\nmodule.exports = require("${module}");\n`);
      writeFileSync(`${entry}.d.cts`, declarations(program, `${entry}.d.ts`, module));
    }
  }
  return stems.flatMap((stem) => [`${stem}.cjs`, `${stem}.d.cts`]);
}

function isNewer(path, than) {
  if (!existsSync(path)) return false;
  return statSync(path).mtimeMs >= statSync(than).mtimeMs;
}

/** Types are taken from the module's own; a value is declared as what it is there. */
function declarations(program, path, module) {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path);
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source));
  const types = [];
  const values = [];
  for (const symbol of exported) {
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
    if (isTypeOnly(symbol) || (target.flags & ts.SymbolFlags.Value) === 0) types.push(symbol.name);
    else values.push(value(symbol.name, target));
  }
  const from = `from "${module}" with { "resolution-mode": "import" };`;
  const names = types.sort().join(", ");
  return [
    `import type * as hawser ${from}`,
    // Not exported at once: type parameters of classes name them.
    ...(names === "" ? [] : [`import type { ${names} } ${from}`, `export type { ${names} };`]),
    ...values.sort(),
    "",
  ].join("\n");
}

function isTypeOnly(symbol) {
  return (symbol.declarations ?? []).some(
    (node) => ts.isExportSpecifier(node) && (node.isTypeOnly || node.parent.parent.isTypeOnly),
  );
}

function value(name, target) {
  const declared = `export declare const ${name}: typeof hawser.${name};`;
  const isType = (target.flags & ts.SymbolFlags.Type) !== 0;
  return isType ? `${declared}\n${typeOf(name, target)}` : declared;
}

/** Of a class, with its type parameters: `export type Name<A extends B> = hawser.Name<A>;` */
function typeOf(name, target) {
  const parameters = target.declarations.find((node) => node.typeParameters)?.typeParameters ?? [];
  if (parameters.length === 0) return `export type ${name} = hawser.${name};`;
  const written = parameters.map((parameter) => parameter.getText()).join(", ");
  const given = parameters.map((parameter) => parameter.name.getText()).join(", ");
  return `export type ${name}<${written}> = hawser.${name}<${given}>;`;
}
