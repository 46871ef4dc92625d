import type { Measured } from "./metrics.ts";
import type { Output } from "./output.ts";
import type { Invocation } from "./program.ts";
import type { RawSettings } from "./raw-settings.ts";
import type { Settings } from "./settings-schema.ts";

/** What a command gets. */
export interface Session {
  readonly settings: Settings;
  readonly raw: RawSettings;
  /** The backup named on the command line. */
  readonly argument: Invocation["argument"];
  /** The second one. */
  readonly otherArgument: Invocation["otherArgument"];
  /** Those of a command that takes any number of them. */
  readonly manyArguments: Invocation["manyArguments"];
  readonly output: Output;
  /** Aborted by the first SIGINT or SIGTERM; the reason is an INTERRUPTED error. */
  readonly signal: AbortSignal;
  readonly tool: { readonly name: string; readonly version: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the run found out, for `--metrics-file`; see `metrics.ts`. May be called more than once. */
  measured(samples: readonly Measured[]): void;
  /** From now on this text is kept out of error messages. */
  keepSecret(text: string): void;
}

/** Resolves with the exit status. */
export type RunCommand = (session: Session) => Promise<number>;
