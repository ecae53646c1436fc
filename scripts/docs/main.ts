/** npm run docs: writes the generated parts of the documents anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { optionsPage } from "./options-page.ts";

const path = fileURLToPath(new URL("../../docs/reference/options.md", import.meta.url));
writeFileSync(path, optionsPage(readFileSync(path, "utf8")));
