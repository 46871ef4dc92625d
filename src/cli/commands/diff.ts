import { diff as diffBackups } from "../../usecases/diff.ts";
import { DONE } from "../exit-status.ts";
import { Fallbacks } from "../fallbacks.ts";
import { diffJson, diffLines } from "../render-diff.ts";
import { selectorOf } from "../requests.ts";
import type { RunCommand } from "../session.ts";
import { wireRepository } from "../wiring/repository.ts";

/** That two backups differ is no failure. */
export const diff: RunCommand = async (session) => {
  const { settings, output, signal, argument, otherArgument } = session;
  const fallbacks = new Fallbacks();
  await using repository = await wireRepository(session, settings.target, fallbacks.add);
  const request = {
    first: argument ?? "latest",
    second: otherArgument ?? "latest",
    selects: selectorOf(settings),
  };
  const result = await diffBackups(repository, request, signal).finally(() => fallbacks.warn(output));
  if (output.options.json) await output.printJson(diffJson(result));
  else await output.printLines(diffLines(result, output.paint));
  return DONE;
};
