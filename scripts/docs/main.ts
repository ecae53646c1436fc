/** npm run docs: writes the generated documents, and generated parts of documents, anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { apiPage } from "./api-page.ts";
import { optionsPage } from "./options-page.ts";

const reference = (name: string): string =>
  fileURLToPath(new URL(`../../docs/reference/${name}`, import.meta.url));

const options = reference("options.md");
writeFileSync(options, optionsPage(readFileSync(options, "utf8")));
writeFileSync(reference("api.md"), apiPage().text);
