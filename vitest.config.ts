import { defineConfig } from "vitest/config";

/** Percent. Of src/store the code of the serializer's thread is not counted, which tests run compiled. */
const FLOORS = {
  wire: { lines: 98, branches: 97 },
  log: { lines: 96, branches: 90 },
  primary: { lines: 96, branches: 90 },
  replica: { lines: 95, branches: 90 },
  store: { lines: 95, branches: 90 },
  embed: { lines: 95, branches: 90 },
};

export default defineConfig({
  test: {
    // Workers and daemons run compiled code: dist/ is built once before any test.
    globalSetup: ["./test/tools/build-once.ts"],
    // `npm run coverage`, of the unit tests alone: what only the simulator or processes reach is not counted.
    coverage: {
      provider: "v8",
      include: ["src/{wire,log,primary,replica,store,embed}/**/*.ts"],
      reporter: ["text", "json-summary"],
      reportOnFailure: true,
      thresholds: Object.fromEntries(
        Object.entries(FLOORS).map(([folder, floor]) => [`src/${folder}/**`, floor]),
      ),
    },
    projects: [
      {
        extends: true,
        // What hangs fails; what is slow on a busy machine does not.
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        extends: true,
        test: { name: "sim", include: ["test/sim/**/*.test.ts"], testTimeout: 300_000 },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          pool: "forks",
          // Two at once: each waits most of its time, for its processes. Behind the others, which do not.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Real processes on a shared machine: one more chance there, none at a developer's desk.
          retry: process.env["CI"] === "true" ? 1 : 0,
        },
      },
    ],
  },
});
